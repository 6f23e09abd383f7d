//! The registry: which packages there are.

use std::sync::Arc;

use crate::{Error, Fault, Oid, PackageInfo, SecStatus, SecurityPackage};

/// The packages that an application can choose from. The order is that of registration.
#[derive(Clone, Default)]
pub struct Registry {
    packages: Vec<Arc<dyn SecurityPackage>>,
}

impl Registry {
    /// A registry with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a package (`AddSecurityPackage`).
    ///
    /// # Errors
    /// `SEC_E_CANNOT_INSTALL` where its name, one of its aliases, or one of its object identifiers is taken.
    pub fn register(&mut self, package: Arc<dyn SecurityPackage>) -> Result<(), Error> {
        let info = package.package_info();
        let refuse = |what: String, by: &PackageInfo| {
            Err(Error::new(
                SecStatus::SEC_E_CANNOT_INSTALL,
                Fault::Configuration,
                format!("cannot register {}: {what} is taken by the package {}", info.name, by.name),
            ))
        };
        for name in core::iter::once(&info.name).chain(&info.aliases) {
            if let Some(other) = self.find(name) {
                return refuse(format!("the name {name:?}"), other.package_info());
            }
        }
        for oid in &info.oids {
            if let Some(other) = self.find_oid(oid) {
                return refuse(format!("the object identifier {oid}"), other.package_info());
            }
        }
        self.packages.push(package);
        Ok(())
    }

    fn find(&self, name: &str) -> Option<&Arc<dyn SecurityPackage>> {
        self.packages.iter().find(|package| {
            let info = package.package_info();
            core::iter::once(&info.name).chain(&info.aliases).any(|n| n.eq_ignore_ascii_case(name))
        })
    }

    fn find_oid(&self, oid: &Oid) -> Option<&Arc<dyn SecurityPackage>> {
        self.packages.iter().find(|package| package.package_info().oids.contains(oid))
    }

    /// The package of that name or alias, in any case.
    ///
    /// # Errors
    /// `SEC_E_SECPKG_NOT_FOUND`; the message names those that there are.
    pub fn by_name(&self, name: &str) -> Result<Arc<dyn SecurityPackage>, Error> {
        self.find(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.packages.iter().map(|p| p.package_info().name.as_ref()).collect();
            Error::new(
                SecStatus::SEC_E_SECPKG_NOT_FOUND,
                Fault::Configuration,
                format!("there is no security package {name:?}; registered: {}", known.join(", ")),
            )
            .with_setting("package")
        })
    }

    /// The package that runs the mechanism with this object identifier.
    ///
    /// # Errors
    /// `SEC_E_SECPKG_NOT_FOUND`.
    pub fn by_oid(&self, oid: &Oid) -> Result<Arc<dyn SecurityPackage>, Error> {
        self.find_oid(oid).cloned().ok_or_else(|| {
            Error::new(
                SecStatus::SEC_E_SECPKG_NOT_FOUND,
                Fault::Configuration,
                format!("there is no security package for the mechanism {oid}"),
            )
        })
    }

    /// `EnumerateSecurityPackages`: what every package says about itself, in the order of registration.
    #[must_use]
    pub fn enumerate_security_packages(&self) -> Vec<PackageInfo> {
        self.packages.iter().map(|package| package.package_info().clone()).collect()
    }

    /// `QuerySecurityPackageInfo`: what the package of that name says about itself.
    ///
    /// # Errors
    /// `SEC_E_SECPKG_NOT_FOUND`.
    pub fn query_security_package_info(&self, name: &str) -> Result<PackageInfo, Error> {
        self.by_name(name).map(|package| package.package_info().clone())
    }
}

impl core::fmt::Debug for Registry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.packages.iter().map(|package| &package.package_info().name)).finish()
    }
}
