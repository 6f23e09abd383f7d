//! Servers that begin TLS in the middle of their protocol, each with the smallest configuration that does it.

use test_support::Pki;

use super::command::{Ending, Opensspi, Target};
use super::view::{Packages, View};
use crate::peers::process::Stdout;
use crate::peers::{PeerError, Process, Version, free_port};

/// A server, and what is said to it once TLS is up.
pub(super) struct Dialogue {
    /// The name that `--starttls` has for its protocol.
    starttls: &'static str,
    /// What is sent, and what must be in the answer.
    says: &'static [u8],
    hears: &'static str,
    /// The protocol's way to end the connection; nothing if the server does so by itself.
    goodbye: &'static [u8],
    /// How the server closes it then.
    ending: Ending,
    start: fn(&Setting<'_>) -> Result<Process, PeerError>,
}

/// What a server is started with: its view, and the certificate in it.
struct Setting<'a> {
    packages: &'a Packages,
    view: &'a View,
    port: u16,
    chain: String,
    key: String,
}

impl Setting<'_> {
    /// Starts the program, and waits until it listens.
    fn serve(&self, program: &str, arguments: &[&str]) -> Result<Process, PeerError> {
        self.view.launch(program, Stdout::Log)?.arguments(arguments.iter().copied()).serve(self.port)
    }
}

/// Starts the server, and talks to it over TLS.
pub(super) fn run(
    dialogue: &Dialogue,
    packages: &Packages,
    opensspi: &Opensspi,
    version: Version,
) -> Result<(), PeerError> {
    let pki = Pki::new();
    let view = View::new(packages)?;
    // RSA, since a few of them are given no other kind of key by anybody.
    let certificate = pki.server("localhost").rsa_2048().issue();
    let setting = Setting {
        packages,
        view: &view,
        port: free_port(),
        chain: view.write("server.pem", certificate.chain_pem())?,
        key: view.write("server.key", certificate.key_pem())?,
    };
    let server = (dialogue.start)(&setting)?;
    talk(dialogue, opensspi, &Target { port: setting.port, version, starttls: Some(dialogue.starttls) }, &pki)
        .map_err(|error| server.error(error.to_string()))
}

fn talk(dialogue: &Dialogue, opensspi: &Opensspi, target: &Target<'_>, pki: &Pki) -> Result<(), PeerError> {
    let mut client = opensspi.connect(target, pki)?;
    client.send(dialogue.says)?;
    client.expect(dialogue.hears)?;
    let ending = client.end(dialogue.goodbye)?;
    if ending == dialogue.ending {
        Ok(())
    } else {
        Err(PeerError::new(format!("the server closed the connection {ending:?}")))
    }
}

/// Exim, with GnuTLS.
pub(super) const EXIM: Dialogue = Dialogue {
    starttls: "smtp",
    says: b"EHLO localhost\r\n",
    hears: "250 HELP\r\n",
    goodbye: b"QUIT\r\n",
    ending: Ending::InOrder,
    start: |setting| {
        let Setting { view, port, chain, key, .. } = setting;
        let (spool, log) = (view.make_folder("spool")?, view.path("%slog"));
        let configuration = format!(
            "primary_hostname = localhost\nspool_directory = {spool}\nlog_file_path = {log}\n\
             pid_file_path = {pid}\ntls_advertise_hosts = *\ntls_certificate = {chain}\ntls_privatekey = {key}\n\
             queue_only\nacl_smtp_rcpt = deny\nbegin acl\nbegin routers\nbegin transports\n",
            pid = view.path("pid"),
        );
        let file = view.write("exim.conf", configuration)?;
        setting.serve("/usr/sbin/exim4", &["-bdf", "-oX", &format!("127.0.0.1:{port}"), "-C", &file])
    },
};

/// Dovecot's IMAP, with OpenSSL.
pub(super) const DOVECOT_IMAP: Dialogue = Dialogue {
    starttls: "imap",
    says: b"a2 CAPABILITY\r\n",
    hears: "a2 OK",
    goodbye: b"a3 LOGOUT\r\n",
    ending: Ending::InOrder,
    start: |setting| dovecot(setting, "imap"),
};

/// Dovecot's POP3, with OpenSSL.
pub(super) const DOVECOT_POP3: Dialogue = Dialogue {
    starttls: "pop3",
    says: b"CAPA\r\n",
    hears: "SASL PLAIN\r\n.\r\n",
    goodbye: b"QUIT\r\n",
    ending: Ending::InOrder,
    start: |setting| dovecot(setting, "pop3"),
};

fn dovecot(setting: &Setting<'_>, protocol: &str) -> Result<Process, PeerError> {
    let Setting { view, port, chain, key, .. } = setting;
    let (run, state) = (view.make_folder("run")?, view.make_folder("state")?);
    let configuration = format!(
        "protocols = {protocol}\nlisten = 127.0.0.1\nbase_dir = {run}\nstate_dir = {state}\nlog_path = /dev/stderr\n\
         default_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = nobody\n\
         ssl = yes\nssl_cert = <{chain}\nssl_key = <{key}\n\
         passdb {{\n  driver = static\n  args = password=x\n}}\n\
         userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={run}\n}}\n\
         service anvil {{\n  chroot =\n}}\n\
         service {protocol}-login {{\n  chroot =\n  inet_listener {protocol} {{\n    port = {port}\n  }}\n\
         \x20 inet_listener {protocol}s {{\n    port = 0\n  }}\n}}\n"
    );
    let file = view.write("dovecot.conf", configuration)?;
    setting.serve("/usr/sbin/dovecot", &["-F", "-c", &file])
}

/// OpenLDAP's slapd, with GnuTLS: an anonymous bind.
pub(super) const SLAPD: Dialogue = Dialogue {
    starttls: "ldap",
    says: b"\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\x00\x80\x00",
    hears: "\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
    goodbye: b"\x30\x05\x02\x01\x03\x42\x00",
    ending: Ending::InOrder,
    start: |setting| {
        let Setting { view, port, chain, key, .. } = setting;
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\nmodulepath /usr/lib/ldap\nmoduleload back_null\nTLSCertificateFile {chain}\nTLSCertificateKeyFile {key}\n\
             database null\nsuffix \"dc=example\"\n"
        );
        let file = view.write("slapd.conf", configuration)?;
        setting.serve("/usr/sbin/slapd", &["-d", "0", "-f", &file, "-h", &format!("ldap://127.0.0.1:{port}")])
    },
};

/// vsftpd, with OpenSSL. It says goodbye in its protocol, but not in TLS, unless it is told to.
pub(super) const VSFTPD: Dialogue = Dialogue {
    starttls: "ftp",
    says: b"FEAT\r\n",
    hears: "211 End\r\n",
    goodbye: b"QUIT\r\n",
    ending: Ending::CutOff,
    start: |setting| {
        let Setting { view, port, chain, key, .. } = setting;
        let configuration = format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n\
             anonymous_enable=YES\nftp_username=nobody\nnopriv_user=nobody\nsecure_chroot_dir={empty}\n\
             seccomp_sandbox=NO\nssl_enable=YES\nssl_tlsv1=YES\nallow_anon_ssl=YES\nrsa_cert_file={chain}\n\
             rsa_private_key_file={key}\n",
            empty = view.make_folder("empty")?,
        );
        let file = view.write("vsftpd.conf", configuration)?;
        setting.serve("/usr/sbin/vsftpd", &[&file])
    },
};

/// The news reader daemon of INN, with OpenSSL.
pub(super) const INN: Dialogue = Dialogue {
    starttls: "nntp",
    says: b"CAPABILITIES\r\n",
    hears: "IMPLEMENTATION INN",
    goodbye: b"QUIT\r\n",
    ending: Ending::InOrder,
    start: |setting| {
        let Setting { view, port, chain, key, .. } = setting;
        let (database, log) = (view.make_folder("db")?, view.make_folder("log")?);
        let (run, temporary) = (view.make_folder("run")?, view.make_folder("tmp")?);
        view.make_folder("spool/overview")?;
        let configuration = format!(
            "mta: \"/bin/false %s\"\novmethod: tradindexed\nhismethod: hisv6\npathhost: localhost\n\
             domain: localhost\nfromhost: localhost\npathnews: /usr/lib/news\npathetc: {etc}\npathdb: {database}\n\
             pathlog: {log}\npathrun: {run}\npathtmp: {temporary}\npathspool: {spool}\nrunasuser: nobody\n\
             runasgroup: nogroup\ntlscertfile: {chain}\ntlskeyfile: {key}\n",
            etc = view.make_folder("news")?,
            spool = view.path("spool"),
        );
        let file = view.write("inn.conf", configuration)?;
        let readers = "auth all {\n  hosts: \"*\"\n  default: \"<local>\"\n}\n\
                       access all {\n  users: \"<local>\"\n  newsgroups: \"*\"\n}\n";
        let readers = view.write("readers.conf", readers)?;
        view.write("news/storage.conf", "")?;
        view.write("db/active", "test.group 0000000000 0000000001 y\n")?;
        view.write("db/newsgroups", "")?;
        view.write("db/history", "")?;
        let variable = format!("INNCONF={file}");
        // An empty overview, without which nobody is served.
        view.run("env", &[&variable, "/usr/lib/news/bin/makehistory", "-x", "-O", "-F"])?;
        let port = port.to_string();
        let nnrpd = "/usr/lib/news/bin/nnrpd-ssl";
        setting.serve("env", &[&variable, nnrpd, "-D", "-f", "-b", "127.0.0.1", "-p", &port, "-c", &readers])
    },
};

/// PostgreSQL, with OpenSSL: a session as far as the first parameters.
pub(super) const POSTGRESQL: Dialogue = Dialogue {
    starttls: "postgres",
    says: b"\x00\x00\x00\x27\x00\x03\x00\x00user\x00nobody\x00database\x00postgres\x00\x00",
    hears: "server_version",
    goodbye: b"X\x00\x00\x00\x04",
    ending: Ending::InOrder,
    start: |setting| {
        let Setting { packages, view, port, chain, key } = setting;
        let Some(version) = postgresql_version(packages) else {
            return Err(PeerError::new("no version of PostgreSQL is installed"));
        };
        let programs = format!("/usr/lib/postgresql/{version}/bin");
        let data = view.path("data");
        view.run(
            &format!("{programs}/initdb"),
            &["-D", &data, "-A", "trust", "-U", "nobody", "--no-sync", "--no-locale"],
        )?;
        let options = [
            format!("unix_socket_directories={}", view.make_folder("run")?),
            "listen_addresses=127.0.0.1".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={chain}"),
            format!("ssl_key_file={key}"),
        ];
        let port = port.to_string();
        let mut arguments = vec!["-D", &data, "-p", &port];
        arguments.extend(options.iter().flat_map(|option| ["-c", option]));
        setting.serve(&format!("{programs}/postgres"), &arguments)
    },
};

/// The newest version whose server is there.
pub(super) fn postgresql_version(packages: &Packages) -> Option<u32> {
    let versions = packages.entries("/usr/lib/postgresql").into_iter().filter_map(|name| name.parse().ok());
    versions.filter(|version| packages.has(&format!("/usr/lib/postgresql/{version}/bin/postgres"))).max()
}

/// CUPS, with GnuTLS: the one server that still upgrades HTTP. It answers the request that carried the upgrade first,
/// and the one that follows then; after a page that it does not have it closes the connection.
pub(super) const CUPS: Dialogue = Dialogue {
    starttls: "http",
    says: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    hears: "<TITLE>Not Found - CUPS",
    goodbye: b"",
    ending: Ending::InOrder,
    start: |setting| {
        let Setting { view, port, chain, key, .. } = setting;
        let mut files = "User nobody\nGroup nogroup\nSystemGroup news\nCreateSelfSignedCerts no\n\
             AccessLog stderr\nErrorLog stderr\nPageLog stderr\n"
            .to_owned();
        for (setting, folder) in [
            ("ServerRoot", "server"),
            ("CacheDir", "cache"),
            ("StateDir", "state"),
            ("RequestRoot", "requests"),
            ("TempDir", "tmp"),
            ("DocumentRoot", "documents"),
            ("ServerKeychain", "keys"),
        ] {
            files.push_str(&format!("{setting} {}\n", view.make_folder(folder)?));
        }
        // It finds a certificate by its own name.
        std::fs::copy(chain, view.path("keys/localhost.crt"))?;
        std::fs::copy(key, view.path("keys/localhost.key"))?;
        let configuration = format!(
            "LogLevel warn\nListen 127.0.0.1:{port}\nServerName localhost\nBrowsing No\n\
             DefaultEncryption IfRequested\n<Location />\n  Order allow,deny\n  Allow all\n</Location>\n"
        );
        let (configuration, files) =
            (view.write("cupsd.conf", configuration)?, view.write("cups-files.conf", files)?);
        setting.serve("/usr/sbin/cupsd", &["-f", "-c", &configuration, "-s", &files])
    },
};
