//! The packages of the workspace and what they depend on, as `cargo metadata` reports them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Failure;

/// The folder into which cargo builds.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf, Failure> {
    let metadata = metadata(root, &["--no-deps"])?;
    let folder = metadata.get("target_directory").and_then(Value::as_str).map(PathBuf::from);
    folder.ok_or_else(|| Failure::Broken("cargo metadata names no target folder".to_owned()))
}

fn metadata(root: &Path, arguments: &[&str]) -> Result<Value, Failure> {
    let output = Command::new(crate::cargo())
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::Broken(format!("cargo metadata did not start: {error}")))?;
    if !output.status.success() {
        return Err(Failure::Broken(format!("cargo metadata: {}", output.status)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Failure::Broken(format!("cargo metadata answered no JSON: {error}")))
}

/// For what a package needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `[dependencies]`: it is part of what users get.
    Normal,
    /// `[dev-dependencies]`: tests, examples and benchmarks.
    Dev,
    /// `[build-dependencies]`.
    Build,
}

/// One line of a manifest's dependency tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// The package's name.
    pub(crate) name: String,
    /// The name by which the code calls it, where the manifest gives one.
    pub(crate) rename: Option<String>,
    /// For what it is needed.
    pub(crate) kind: Kind,
}

impl Dependency {
    /// The name that stands in the code.
    pub(crate) fn code_name(&self) -> String {
        self.rename.as_ref().unwrap_or(&self.name).replace('-', "_")
    }
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// The package's name.
    pub(crate) name: String,
    /// Its folder, relative to the root, with `/`.
    pub(crate) folder: String,
    /// Whether users get it: `publish = false` says no.
    pub(crate) is_published: bool,
    /// All its dependencies as declared.
    pub(crate) dependencies: Vec<Dependency>,
}

impl Package {
    /// Whether this is a provider's crate.
    pub(crate) fn is_provider(&self) -> bool {
        self.folder.starts_with("providers/")
    }
}

/// The workspace's packages, and the normal dependencies of every package that cargo resolved.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The members, in the order of their names.
    pub(crate) members: Vec<Package>,
    /// Package name → names of the packages that it needs at run time. Two versions of a package are one here.
    pub(crate) resolved: BTreeMap<String, Vec<String>>,
}

impl Graph {
    /// Asks `cargo metadata`.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        Ok(Graph::from_metadata(&metadata(root, &[])?))
    }

    /// Takes from the JSON of `cargo metadata` what the arrows ask for.
    pub(crate) fn from_metadata(metadata: &Value) -> Self {
        let root = Path::new(text(metadata, "workspace_root"));
        let members: Vec<&str> =
            list(metadata, "workspace_members").iter().filter_map(Value::as_str).collect();
        let mut graph = Graph::default();
        let mut names = BTreeMap::new();
        for package in list(metadata, "packages") {
            names.insert(text(package, "id"), text(package, "name"));
            if members.contains(&text(package, "id")) {
                graph.members.push(member(package, root));
            }
        }
        graph.members.sort_by(|left, right| left.name.cmp(&right.name));
        let nodes = metadata.get("resolve").map(|resolve| list(resolve, "nodes")).unwrap_or_default();
        for node in nodes {
            let needed = list(node, "deps").iter().filter(|needed| {
                list(needed, "dep_kinds").iter().any(|kind| kind.get("kind").is_none_or(Value::is_null))
            });
            let needed = needed.filter_map(|needed| names.get(text(needed, "pkg"))).map(ToString::to_string);
            let name = names.get(text(node, "id")).copied().unwrap_or_default();
            graph.resolved.entry(name.to_owned()).or_default().extend(needed);
        }
        graph
    }

    /// The shortest chain of normal dependencies from `from` to a package that `wanted` accepts, both ends included.
    pub(crate) fn chain(&self, from: &str, wanted: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut front = vec![from];
        while !front.is_empty() {
            let mut next = Vec::new();
            for &package in &front {
                for needed in self.resolved.get(package).into_iter().flatten() {
                    if needed == from || came_from.contains_key(needed.as_str()) {
                        continue;
                    }
                    came_from.insert(needed, package);
                    if wanted(needed) {
                        let before =
                            std::iter::successors(Some(needed.as_str()), |at| came_from.get(at).copied());
                        let mut chain: Vec<String> = before.map(str::to_owned).collect();
                        chain.reverse();
                        return Some(chain);
                    }
                    next.push(needed.as_str());
                }
            }
            front = next;
        }
        None
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn member(package: &Value, root: &Path) -> Package {
    let folder = Path::new(text(package, "manifest_path")).parent().unwrap_or(root);
    let folder = folder.strip_prefix(root).unwrap_or(folder);
    let dependencies = list(package, "dependencies").iter().map(|dependency| Dependency {
        name: text(dependency, "name").to_owned(),
        rename: dependency.get("rename").and_then(Value::as_str).map(str::to_owned),
        kind: match text(dependency, "kind") {
            "dev" => Kind::Dev,
            "build" => Kind::Build,
            _ => Kind::Normal,
        },
    });
    Package {
        name: text(package, "name").to_owned(),
        folder: folder.to_string_lossy().replace('\\', "/"),
        // `publish` is null for "anywhere" and a list of registries otherwise; an empty list is "nowhere".
        is_published: package.get("publish").and_then(Value::as_array).is_none_or(|list| !list.is_empty()),
        dependencies: dependencies.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_becomes_members_and_resolved_edges() {
        let metadata = json!({
            "workspace_root": "/w",
            "workspace_members": ["path+file:///w/crates/a#0.1.0"],
            "packages": [
                { "id": "path+file:///w/crates/a#0.1.0", "name": "a", "manifest_path": "/w/crates/a/Cargo.toml",
                  "publish": [],
                  "dependencies": [{ "name": "b-c", "rename": "b", "kind": null },
                                   { "name": "d", "rename": null, "kind": "dev" }] },
                { "id": "b-c#1", "name": "b-c", "manifest_path": "/r/b-c/Cargo.toml", "dependencies": [] },
                { "id": "d#1", "name": "d", "manifest_path": "/r/d/Cargo.toml", "dependencies": [] },
            ],
            "resolve": { "nodes": [
                { "id": "path+file:///w/crates/a#0.1.0", "deps": [
                    { "pkg": "b-c#1", "dep_kinds": [{ "kind": null }] },
                    { "pkg": "d#1", "dep_kinds": [{ "kind": "dev" }] }] },
                { "id": "b-c#1", "deps": [] },
            ] },
        });
        let graph = Graph::from_metadata(&metadata);
        assert_eq!(graph.members.len(), 1);
        assert_eq!(graph.members[0].folder, "crates/a");
        assert!(!graph.members[0].is_published);
        assert_eq!(graph.members[0].dependencies[0].code_name(), "b");
        assert_eq!(graph.members[0].dependencies[1].kind, Kind::Dev);
        assert_eq!(graph.resolved["a"], ["b-c"]);
    }

    #[test]
    fn chain_is_the_shortest_way() {
        let edges = [("a", ["b", "c"]), ("b", ["a", "d"]), ("c", ["tokio", "d"]), ("d", ["tokio", "a"])];
        let resolved = edges.map(|(from, to)| (from.to_owned(), to.map(str::to_owned).to_vec()));
        let graph = Graph { members: Vec::new(), resolved: BTreeMap::from(resolved) };
        assert_eq!(graph.chain("a", |name| name == "tokio").unwrap(), ["a", "c", "tokio"]);
        assert_eq!(graph.chain("a", |name| name == "mio"), None);
    }
}
