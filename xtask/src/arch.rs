//! `arch`: the arrows of ARCHITECTURE.md, as tables, and the check that the workspace keeps to them.
//!
//! Two things are looked at: the dependencies that the manifests declare (and, for runtimes, all that they bring in),
//! and the paths that the sources name. The sources are read as tokens, without type information: a name that a macro
//! builds, or that a chain of renames hides, is not seen. That is enough to catch an honest mistake.
//! In the handshake that all versions share, it is also looked at whether versions are compared.

use std::fmt;
use std::path::Path;

use crate::graph::{Dependency, Graph, Kind, Package};
use crate::source::{self, NamedPath, SourceFile, Sources, Token};
use crate::{Failure, public_api};

mod versions;

/// The folders whose sources are read.
const FOLDERS: [&str; 3] = ["sspi-core", "crates", "providers"];

// ---- the arrows between our own crates ----

/// What a member of the workspace may depend on within it.
enum Reach {
    /// These, and no other.
    Only(&'static [&'static str]),
    /// These, and every crate below `providers/`.
    ProvidersAnd(&'static [&'static str]),
    /// Whatever it likes: it is no part of what users get.
    Everything,
}

/// One row of the arrows between our own crates.
struct Arrow {
    from: &'static str,
    to: Reach,
    reason: &'static str,
}

const fn arrow(from: &'static str, to: Reach, reason: &'static str) -> Arrow {
    Arrow { from, to, reason }
}

const SSPI_CORE: &str = "sspi-core";
const WIRE: &str = "opensspi-wire";
const CRYPTO: &str = "opensspi-crypto";
const GSS: &str = "opensspi-gss";
const LOCK_OUT: &str = "opensspi-lock-out";
const LEGACY_TLS: &str = "opensspi-legacy-tls";
const SCHANNEL: &str = "opensspi-schannel";
const SSPI_TOKIO: &str = "sspi-tokio";
const OPENSSPI: &str = "opensspi";
const CLI: &str = "opensspi-cli";
const BENCH: &str = "opensspi-bench";
const TEST_SUPPORT: &str = "opensspi-test-support";
const INTEGRATION_TESTS: &str = "opensspi-integration-tests";
const MEASURE: &str = "opensspi-measure";
const SHIM: &str = "opensspi-shim";
const SSPI_HTTP: &str = "sspi-http";
const SSPI_REDIS: &str = "sspi-redis";
const SSPI_LDAP: &str = "sspi-ldap";
const SSPI_WINBIND: &str = "sspi-winbind";

const BELOW_SSPI: &str = "it knows no SSPI: only wire formats and primitives are below it";
const ONE_PROVIDER: &str = "a provider knows the contract, what it is built from, and no other provider";
const EDGE: &str = "the async edge works over any package, so it knows the contract and no provider";

/// Normal and build dependencies between the members. A member without a row is refused, so that each new crate says
/// where it stands.
const ARROWS: &[Arrow] = &[
    arrow(SSPI_CORE, Reach::Only(&[]), "the contract knows no protocol"),
    arrow(WIRE, Reach::Only(&[]), BELOW_SSPI),
    arrow(CRYPTO, Reach::Only(&[WIRE]), BELOW_SSPI),
    arrow(GSS, Reach::Only(&[WIRE]), BELOW_SSPI),
    arrow(LOCK_OUT, Reach::Only(&[CRYPTO]), "it counts, whoever judges: it knows no package and no contract"),
    arrow(LEGACY_TLS, Reach::Only(&[WIRE, CRYPTO]), BELOW_SSPI),
    arrow(SCHANNEL, Reach::Only(&[SSPI_CORE, WIRE, CRYPTO, LEGACY_TLS]), ONE_PROVIDER),
    arrow("opensspi-negotiate", Reach::Only(&[SSPI_CORE, GSS]), ONE_PROVIDER),
    arrow("opensspi-kerberos", Reach::Only(&[SSPI_CORE, WIRE, CRYPTO, GSS]), ONE_PROVIDER),
    arrow("opensspi-ntlm", Reach::Only(&[SSPI_CORE, WIRE, CRYPTO, LOCK_OUT]), ONE_PROVIDER),
    arrow("opensspi-digest", Reach::Only(&[SSPI_CORE, CRYPTO, LOCK_OUT]), ONE_PROVIDER),
    arrow(SSPI_TOKIO, Reach::Only(&[SSPI_CORE]), EDGE),
    arrow(SSPI_HTTP, Reach::Only(&[SSPI_CORE, SSPI_TOKIO]), EDGE),
    arrow(
        SSPI_REDIS,
        Reach::Only(&[SSPI_CORE, SSPI_TOKIO, CRYPTO]),
        "a store is at the async edge, and seals what it keeps with primitives of ours",
    ),
    arrow(SSPI_LDAP, Reach::Only(&[SSPI_CORE, SSPI_TOKIO]), EDGE),
    arrow(SSPI_WINBIND, Reach::Only(&[SSPI_CORE, SSPI_TOKIO]), EDGE),
    arrow(
        OPENSSPI,
        Reach::ProvidersAnd(&[
            SSPI_CORE,
            SSPI_TOKIO,
            SSPI_HTTP,
            SSPI_REDIS,
            SSPI_LDAP,
            SSPI_WINBIND,
            CRYPTO,
            GSS,
        ]),
        "it joins the contract, the packages and the async edge, and passes in the system's randomness; engines stay behind the packages",
    ),
    arrow(
        CLI,
        Reach::Only(&[OPENSSPI, SSPI_TOKIO, SSPI_CORE, BENCH]),
        "the command uses what users use: the packages come through opensspi",
    ),
    arrow(BENCH, Reach::Everything, ""),
    arrow(TEST_SUPPORT, Reach::Everything, ""),
    arrow(INTEGRATION_TESTS, Reach::Everything, ""),
    arrow(MEASURE, Reach::Everything, ""),
    arrow(SHIM, Reach::Everything, ""),
    arrow("xtask", Reach::Only(&[]), "it must build while the rest does not"),
];

// ---- third parties' crates ----

/// What `sspi-core` may use of third parties: secrets, and the derive for its errors.
const CONTRACT_MAY_USE: [&str; 4] = ["zeroize", "subtle", "thiserror", "secrecy"];

/// Crates that bring a runtime; the first is a prefix, for its family.
const RUNTIMES: [&str; 5] = ["tokio", "mio", "async-std", "smol", "async-io"];

/// Crates of primitives: the algorithms, the numbers they count with, and sources of randomness.
const PRIMITIVES: [&str; 56] = [
    "ring",
    "aws-lc-rs",
    "aws-lc-sys",
    "openssl",
    "openssl-sys",
    "digest",
    "sha1",
    "sha2",
    "sha3",
    "md2",
    "md4",
    "md-5",
    "hmac",
    "cmac",
    "hkdf",
    "pbkdf2",
    "cipher",
    "block-padding",
    "inout",
    "aes",
    "aes-gcm",
    "ccm",
    "ghash",
    "polyval",
    "poly1305",
    "chacha20",
    "chacha20poly1305",
    "des",
    "rc2",
    "rc4",
    "idea",
    "blowfish",
    "camellia",
    "cbc",
    "ctr",
    "ecb",
    "aead",
    "rsa",
    "dsa",
    "ecdsa",
    "ed25519",
    "ed25519-dalek",
    "x25519-dalek",
    "curve25519-dalek",
    "elliptic-curve",
    "p256",
    "p384",
    "p521",
    "signature",
    "crypto-bigint",
    "num-bigint",
    "num-bigint-dig",
    "rand",
    "rand_core",
    "rand_chacha",
    "getrandom",
];

/// A third party's crates and the only members that may name them.
struct Confined {
    /// Whether it is about this crate.
    is: fn(&str) -> bool,
    /// Who may use it for any purpose.
    any: &'static [&'static str],
    /// Who may use it in tests, examples and benchmarks.
    dev: &'static [&'static str],
    reason: &'static str,
}

/// Stands in a list of members for all of them.
const ALL: &str = "*";

const CONFINED: &[Confined] = &[
    Confined {
        is: |name| name.starts_with("tokio"),
        any: &[
            SSPI_TOKIO,
            SSPI_HTTP,
            SSPI_REDIS,
            SSPI_LDAP,
            SSPI_WINBIND,
            CLI,
            SHIM,
            BENCH,
            INTEGRATION_TESTS,
            TEST_SUPPORT,
        ],
        dev: &[OPENSSPI],
        reason: "the runtime is named at the async edge only",
    },
    Confined {
        is: |name| name == "rustls",
        any: &[SCHANNEL, BENCH, INTEGRATION_TESTS, TEST_SUPPORT],
        dev: &[],
        reason: "rustls is a backend of Schannel, and named nowhere else but in comparisons",
    },
    Confined {
        is: |name| name == "ldap3",
        any: &[SSPI_LDAP],
        dev: &[],
        reason: "the LDAP library stays behind its edge crate",
    },
    Confined {
        is: |name| name == "tokio-rustls",
        any: &[BENCH, INTEGRATION_TESTS],
        dev: &[],
        reason: "tokio-rustls is what the benchmarks and the interop tests compare with",
    },
    Confined {
        is: |name| name == "subtle",
        any: &[CRYPTO, SSPI_CORE],
        dev: &[],
        reason: "comparisons in constant time come from crypto",
    },
    Confined {
        is: |name| name == "ring",
        any: &[CRYPTO, BENCH, INTEGRATION_TESTS, TEST_SUPPORT],
        dev: &[ALL],
        reason: "primitive crates are named in crypto only",
    },
    Confined {
        is: |name| PRIMITIVES.contains(&name) && name != "ring",
        any: &[CRYPTO, BENCH, INTEGRATION_TESTS, MEASURE, TEST_SUPPORT],
        dev: &[],
        reason: "primitive crates are named in crypto only",
    },
];

/// Below the async edge: no runtime may come in, not even through a third party.
fn is_below_the_edge(package: &Package) -> bool {
    package.is_provider() || [SSPI_CORE, WIRE, CRYPTO, GSS, LEGACY_TLS].contains(&package.name.as_str())
}

// ---- what the sources may name ----

/// Names that a part of the tree does not use, outside its tests.
struct Unnamed {
    /// The parts: a file is meant if its path begins with one of these.
    folders: &'static [&'static str],
    /// Paths, of which a longer one may be written: `SystemTime::now` is also `std::time::SystemTime::now`.
    paths: &'static [&'static str],
    /// The files that may, and why.
    except: &'static [(&'static str, &'static str)],
    reason: &'static str,
}

/// The sources below the async edge.
const SANS_IO: &[&str] = &[
    "sspi-core/src/",
    "crates/wire/src/",
    "crates/crypto/src/",
    "crates/gss/src/",
    "crates/legacy-tls/src/",
    "providers/",
];

const UNNAMED: &[Unnamed] = &[
    Unnamed {
        folders: SANS_IO,
        paths: &["std::fs"],
        except: &[],
        reason: "nothing below the async edge reads a file: contents are passed in",
    },
    Unnamed {
        folders: SANS_IO,
        paths: &["std::net"],
        except: &[],
        reason: "nothing below the async edge reads a socket (an address as a value is core::net)",
    },
    Unnamed {
        folders: SANS_IO,
        paths: &["SystemTime::now", "Instant::now", "DefaultTimeProvider"],
        except: &[],
        reason: "nothing below the async edge reads the clock: the time is passed in",
    },
    Unnamed {
        folders: SANS_IO,
        paths: &["std::env"],
        except: &[],
        reason: "nothing below the async edge reads the environment: settings are passed in",
    },
    Unnamed {
        folders: SANS_IO,
        paths: &["SystemRandom", "OsRng", "SysRng", "getrandom", "thread_rng"],
        except: &[(
            "crates/crypto/src/random.rs",
            "the one implementation of the Random trait that the edge passes in: the system's",
        )],
        reason: "nothing below the async edge reads the system's randomness: it is passed in",
    },
];

/// The parts that do not know SSPI, not even in a comment.
const KNOW_NO_SSPI: [&str; 4] = ["crates/wire/", "crates/crypto/", "crates/gss/", "crates/legacy-tls/"];

/// The only file of `crates/opensspi` that names the providers' crates.
const THE_LIST: &str = "crates/opensspi/src/providers.rs";

/// The only folder that may give rustls's types to others.
const RUSTLS_BACKEND: &str = "providers/schannel/src/backend/rustls";

/// Whether a crate's types are kept out of public signatures: rustls, ring, and RustCrypto's.
fn is_kept_private(name: &str) -> bool {
    PRIMITIVES.contains(&name) || ["rustls", "tokio-rustls", "der", "x509-cert"].contains(&name)
}

// ---- the check ----

/// Something that goes against the arrows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// The edge (`sspi-core → tokio`), or the place and the name (`a.rs:3 names std::fs`).
    pub(crate) what: String,
    /// Why it is refused.
    pub(crate) reason: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.what, self.reason)
    }
}

/// Reads the workspace at `root` and returns all that goes against the arrows.
pub(crate) fn violations(root: &Path) -> Result<Vec<Violation>, Failure> {
    let graph = Graph::read(root)?;
    let sources = Sources::read(root, &FOLDERS)
        .map_err(|error| Failure::Broken(format!("reading sources: {error}")))?;
    let mut found = check_graph(&graph);
    found.extend(check_sources(&graph, &sources));
    Ok(found)
}

/// Invariants 1, 3, 4 and 6, as far as manifests tell them.
fn check_graph(graph: &Graph) -> Vec<Violation> {
    let mut found: Vec<Violation> = Vec::new();
    for package in &graph.members {
        for dependency in &package.dependencies {
            let what = format!("{} → {}", package.name, dependency.name);
            if let Some(reason) = refusal(graph, package, dependency)
                && !found.iter().any(|violation| violation.what == what)
            {
                found.push(Violation { what, reason });
            }
        }
        if !ARROWS.iter().any(|arrow| arrow.from == package.name) {
            let reason =
                "it has no row in the arrows (xtask/src/arch.rs): say what it may depend on".to_owned();
            found.push(Violation { what: package.name.clone(), reason });
        }
        if is_below_the_edge(package)
            && let Some(chain) = graph.chain(&package.name, is_runtime)
            && chain.len() > 2
        {
            let reason = "no runtime below the async edge, not through another crate either".to_owned();
            found.push(Violation { what: chain.join(" → "), reason });
        }
    }
    found
}

fn is_runtime(name: &str) -> bool {
    name.starts_with(RUNTIMES[0]) || RUNTIMES.contains(&name)
}

/// Why this dependency is refused, if it is.
fn refusal(graph: &Graph, from: &Package, dependency: &Dependency) -> Option<String> {
    let to = graph.members.iter().find(|member| member.name == dependency.name);
    let is_dev = dependency.kind == Kind::Dev;
    if !is_dev && from.name == SSPI_CORE && !CONTRACT_MAY_USE.contains(&dependency.name.as_str()) {
        return Some(match to {
            _ if is_runtime(&dependency.name) => "the contract knows no runtime".to_owned(),
            Some(to) if to.is_provider() => "the contract knows no provider".to_owned(),
            Some(_) => "the contract knows no protocol".to_owned(),
            None => format!("the contract needs nothing but {}", CONTRACT_MAY_USE.join(", ")),
        });
    }
    if !is_dev && let Some(to) = to {
        let arrow = ARROWS.iter().find(|arrow| arrow.from == from.name)?;
        let allowed = match arrow.to {
            Reach::Only(names) => names.contains(&to.name.as_str()),
            Reach::ProvidersAnd(names) => to.is_provider() || names.contains(&to.name.as_str()),
            Reach::Everything => true,
        };
        return (!allowed).then(|| match (from.is_provider(), to.is_provider()) {
            (true, true) => "no provider depends on another provider".to_owned(),
            (false, true) => "the providers are listed and reached through opensspi only".to_owned(),
            _ => arrow.reason.to_owned(),
        });
    }
    let lists = |names: &[&str]| names.contains(&from.name.as_str()) || names.contains(&ALL);
    let broken =
        |rule: &&Confined| (rule.is)(&dependency.name) && !lists(rule.any) && !(is_dev && lists(rule.dev));
    CONFINED.iter().find(broken).map(|rule| rule.reason.to_owned())
}

/// Invariants 2, 5, 6 and 7, as far as sources tell them.
fn check_sources(graph: &Graph, sources: &Sources) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in &sources.files {
        if KNOW_NO_SSPI.iter().any(|folder| file.path.starts_with(folder)) {
            found.extend(sspi_words(file));
        }
        let package = graph
            .members
            .iter()
            .filter(|package| file.path.starts_with(&format!("{}/", package.folder)))
            .max_by_key(|package| package.folder.len());
        let code = file.code();
        found.extend(versions::questions(file, &code));
        let paths = source::paths(&code);
        found.extend(UNNAMED.iter().flat_map(|rule| named_all_the_same(rule, file, &paths)));
        let Some(package) = package else { continue };
        if package.name == OPENSSPI && file.path != THE_LIST {
            found.extend(named_providers(graph, package, file, &paths));
        }
        let in_backend = file.path.starts_with(RUSTLS_BACKEND);
        if package.is_published && !in_backend && file.path.starts_with(&format!("{}/src/", package.folder)) {
            found.extend(public_foreign_types(package, file, &code, &paths));
        }
    }
    found
}

fn violation(file: &SourceFile, line: usize, does: &str, reason: &str) -> Violation {
    Violation { what: format!("{}:{line} {does}", file.path), reason: reason.to_owned() }
}

/// Identifiers of SSPI (`SecBuffer`, `SEC_E_OK`), in code and comments alike.
fn sspi_words(file: &SourceFile) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(file.text.lines()) {
        for word in text.split(|character: char| character != '_' && !character.is_alphanumeric()) {
            if is_sspi_word(word) {
                let reason = "wire, crypto, gss and legacy-tls know no SSPI";
                found.push(violation(file, line, &format!("names {word}"), reason));
            }
        }
    }
    found
}

fn is_sspi_word(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("Sec") else { return word.starts_with("SEC_") };
    let mut rest = rest.chars();
    match (rest.next(), rest.next()) {
        // SecP256r1MLKEM768 and its like are groups of TLS.
        (Some('P'), Some(digit)) if digit.is_ascii_digit() => false,
        (Some(first), _) => first.is_ascii_uppercase(),
        (None, _) => false,
    }
}

fn named_all_the_same(rule: &Unnamed, file: &SourceFile, paths: &[NamedPath]) -> Vec<Violation> {
    let excepted = rule.except.iter().any(|(path, _)| *path == file.path);
    // A provider's examples are no part of it.
    let meant =
        rule.folders.iter().any(|folder| file.path.starts_with(folder)) && file.path.contains("/src/");
    if excepted || !meant {
        return Vec::new();
    }
    let mut found = Vec::new();
    for path in paths {
        if let Some(name) = rule.paths.iter().find(|name| path.contains(name)) {
            found.push(violation(file, path.line, &format!("names {name}"), rule.reason));
        }
    }
    found
}

/// Providers' crates that a file of `crates/opensspi` names.
fn named_providers(
    graph: &Graph,
    package: &Package,
    file: &SourceFile,
    paths: &[NamedPath],
) -> Vec<Violation> {
    let is_provider =
        |name: &str| graph.members.iter().any(|member| member.name == name && member.is_provider());
    let providers: Vec<String> = package
        .dependencies
        .iter()
        .filter(|dependency| is_provider(&dependency.name))
        .map(Dependency::code_name)
        .collect();
    let mut found = Vec::new();
    for path in paths {
        // A crate is named by the head of a longer path, or by a `use` or `extern crate` of it alone, which a module of
        // the same name cannot be told from; that is not worth a type checker.
        if path.segments.len() > 1 && providers.iter().any(|provider| provider == path.head()) {
            let does = format!("names {}", path.segments.join("::"));
            found.push(violation(
                file,
                path.line,
                &does,
                &format!("one place lists the packages: {THE_LIST}"),
            ));
        }
    }
    found
}

/// Types of rustls, ring and RustCrypto in what a file makes public.
fn public_foreign_types(
    package: &Package,
    file: &SourceFile,
    code: &[Token],
    paths: &[NamedPath],
) -> Vec<Violation> {
    let mut foreign: Vec<String> = package
        .dependencies
        .iter()
        .filter(|dependency| is_kept_private(&dependency.name))
        .map(Dependency::code_name)
        .collect();
    let imported: Vec<(String, String)> = paths
        .iter()
        .filter(|path| path.segments.len() > 1 && foreign.iter().any(|name| name == path.head()))
        .map(|path| {
            let last = path.alias.as_ref().or(path.segments.last()).cloned().unwrap_or_default();
            (last, path.segments.join("::"))
        })
        .collect();
    foreign.sort();
    let mut found = Vec::new();
    for path in public_api::public_paths(code) {
        // A lower-case name is a module's only where more follows; alone it may be a parameter of the same name.
        let may_be_import = path.segments.len() > 1 || path.head().starts_with(char::is_uppercase);
        let by_import = imported.iter().find(|(name, _)| may_be_import && name == path.head());
        let name = match by_import {
            _ if foreign.binary_search(&path.head().to_owned()).is_ok() => path.segments.join("::"),
            Some((_, whole)) => whole.clone(),
            None => continue,
        };
        let reason = "no type of rustls, ring or RustCrypto is in a public API";
        let finding = violation(file, path.line, &format!("makes {name} public"), reason);
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    found
}

#[cfg(test)]
mod tests;
