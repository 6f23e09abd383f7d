//! What is said of whom, and which tests it stands for.

/// The tests of `integration-tests/tests` that are run, by their files: one after the other, since some take ports that are there
/// once.
pub(super) const SUITES: [&str; 12] = [
    "accounts",
    "active_directory",
    "digest",
    "digest_again",
    "digest_http",
    "farm",
    "http",
    "ldap",
    "negotiate",
    "ntlm",
    "renegotiation",
    "winbind",
];

/// What stands in a cell.
#[derive(Clone, Copy)]
pub(super) enum Cell {
    /// What became of these tests.
    Of(&'static [&'static str]),
    /// The peer has nothing of the kind, or no way to show it.
    Nothing,
    /// It lacks this, as these tests show.
    Lacks(&'static str, &'static [&'static str]),
    /// Nothing was run, for this reason.
    Not(&'static str),
}

use Cell::{Lacks, Not, Nothing, Of};

/// Who knows the version of a peer.
pub(super) enum Version {
    /// Debian, of these packages.
    Debian(&'static [&'static str]),
    /// A part of `peers/install.sh`, of these packages from PyPI.
    PyPi(&'static str, &'static [&'static str]),
}

/// A peer.
pub(super) struct Row {
    pub(super) peer: &'static str,
    pub(super) version: Version,
    /// One for each column.
    pub(super) cells: &'static [Cell],
}

/// A table.
pub(super) struct Section {
    /// With its signs of Markdown.
    pub(super) heading: &'static str,
    pub(super) about: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) rows: &'static [Row],
}

const PYSPNEGO: Version = Version::PyPi("ntlm", &["pyspnego"]);
const GSS: Version = Version::Debian(&["libgssapi-krb5-2", "gss-ntlmssp"]);
const SAMBA: Version = Version::Debian(&["winbind"]);
const DIRECTORY: Version = Version::Debian(&["samba-ad-dc"]);
const CURL: Version = Version::Debian(&["curl"]);
const APACHE_GSS: Version = Version::Debian(&["apache2-bin", "libapache2-mod-auth-gssapi", "gss-ntlmssp"]);
const GSASL: Version = Version::Debian(&["libgsasl18"]);
const JAVA: Version = Version::Debian(&["openjdk-17-jdk-headless"]);
const REDIS: Version = Version::Debian(&["redis-server"]);

const fn row(peer: &'static str, version: Version, cells: &'static [Cell]) -> Row {
    Row { peer, version, cells }
}

pub(super) const SECTIONS: &[Section] = &[
    Section {
        heading: "## Logons",
        about: "NTLM, Negotiate and Digest with other implementations: what tests of `integration-tests/tests` came to, each of which \
                fails\nwhere its peer is missing. A wrong password is refused by whoever is the server. \"Bindings\" are right \
                ones, those of another\nchannel, none, and superfluous ones, under each policy; over HTTP they are those of TLS. \
                \"Signed\" and \"sealed\" are messages in\nboth directions, many in a row. A dash stands where a peer has \
                nothing of the kind, or no way to show it. Chromium's logons are\namong the applications.",
        columns: &[],
        rows: &[],
    },
    Section { heading: "### NTLM", about: "", columns: LOGON, rows: NTLM },
    Section {
        heading: "### Negotiate",
        about: "In each, NTLM is what is agreed on.",
        columns: LOGON,
        rows: NEGOTIATE,
    },
    Section {
        heading: "### Digest over HTTP",
        about: "",
        columns: &["right password", "wrong password", "the server's proof"],
        rows: HTTP_DIGEST,
    },
    Section {
        heading: "### DIGEST-MD5 of SASL",
        about: "\"Again\" is a logon of a client that has logged on before, without another challenge, and those that must not be \
                taken:\nwith a wrong proof, a count that is not the next one, or what was said before. With a small `maxbuf` \
                each end sends no more\nthan the other takes, and refuses what is longer than it takes itself.",
        columns: &["right password", "wrong password", "auth-int", "auth-conf", "again", "small `maxbuf`"],
        rows: SASL_DIGEST,
    },
    Section { heading: "## Directories", about: "", columns: &["outcome"], rows: DIRECTORIES },
    Section { heading: "## Server farms", about: "", columns: &["outcome"], rows: FARMS },
    Section { heading: "## Renegotiation", about: "", columns: &["outcome"], rows: RENEGOTIATION },
];

const LOGON: &[&str] = &["right password", "wrong password", "bindings", "signed", "sealed"];

const NTLM: &[Row] = &[
    row(
        "pyspnego: client and server",
        PYSPNEGO,
        &[
            Of(&["ntlm::pyspnego_talks_to_us_in_both_roles", "ntlm::pyspnego_has_names_beyond_ascii"]),
            Of(&["ntlm::pyspnego_and_we_refuse_wrong_passwords"]),
            Of(&[
                "ntlm::pyspnego_talks_to_us_in_both_roles",
                "ntlm::pyspnego_on_another_channel_is_refused_and_refuses_us",
                "ntlm::pyspnego_without_bindings_or_with_superfluous_ones",
            ]),
            Of(&["ntlm::pyspnego_talks_to_us_in_both_roles"]),
            Of(&["ntlm::pyspnego_talks_to_us_in_both_roles"]),
        ],
    ),
    row(
        "gss-ntlmssp through MIT's GSSAPI: client and server",
        GSS,
        &[
            Of(&["ntlm::gss_ntlmssp_talks_to_us_in_both_roles", "ntlm::gss_ntlmssp_has_names_beyond_ascii"]),
            Of(&["ntlm::gss_ntlmssp_and_we_refuse_wrong_passwords"]),
            Of(&[
                "ntlm::gss_ntlmssp_talks_to_us_in_both_roles",
                "ntlm::gss_ntlmssp_on_another_channel_is_refused_and_refuses_us",
                "ntlm::gss_ntlmssp_without_bindings_or_with_superfluous_ones",
            ]),
            Of(&["ntlm::gss_ntlmssp_talks_to_us_in_both_roles"]),
            Of(&["ntlm::gss_ntlmssp_talks_to_us_in_both_roles"]),
        ],
    ),
    row(
        "impacket: client, and server (which looks at no bindings)",
        Version::PyPi("ntlm", &["impacket"]),
        &[
            Of(&["ntlm::impacket_talks_to_us_in_both_roles", "ntlm::impacket_has_names_beyond_ascii"]),
            Of(&["ntlm::impacket_and_we_refuse_wrong_passwords"]),
            Of(&[
                "ntlm::impacket_talks_to_us_in_both_roles",
                "ntlm::impacket_on_another_channel_is_refused",
                "ntlm::impacket_without_bindings_or_with_superfluous_ones",
            ]),
            Of(&["ntlm::impacket_talks_to_us_in_both_roles"]),
            Of(&["ntlm::impacket_talks_to_us_in_both_roles"]),
        ],
    ),
    row(
        "Samba's ntlm_auth: client and server, without messages",
        SAMBA,
        &[
            Of(&[
                "ntlm::ntlm_auth_of_samba_has_our_keys_in_both_roles",
                "ntlm::ntlm_auth_of_samba_has_names_beyond_ascii",
            ]),
            Of(&["ntlm::ntlm_auth_of_samba_and_we_refuse_wrong_passwords"]),
            Nothing,
            Nothing,
            Nothing,
        ],
    ),
    row(
        "Samba's winbind: judges logons to our server, of accounts of a domain",
        Version::Debian(&["samba-ad-dc", "winbind"]),
        &[
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Nothing,
            Nothing,
            Nothing,
        ],
    ),
    row(
        "Samba's directory: server of LDAP",
        DIRECTORY,
        &[
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Nothing,
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
        ],
    ),
    row(
        "curl `--ntlm`, `--proxy-ntlm`: client of HTTP, in clear and over TLS, to a proxy",
        CURL,
        &[
            Of(&[
                "http::curl_logs_its_connection_on_with_ntlm_and_not_with_a_wrong_password",
                "http::curl_logs_on_to_a_proxy",
            ]),
            Of(&[
                "http::curl_logs_its_connection_on_with_ntlm_and_not_with_a_wrong_password",
                "http::curl_logs_on_to_a_proxy",
            ]),
            Of(&["http::curl_logs_its_connection_on_with_ntlm_and_not_with_a_wrong_password"]),
            Nothing,
            Nothing,
        ],
    ),
    row(
        "requests-ntlm: client of HTTP, in clear and over TLS",
        Version::PyPi("ntlm", &["requests-ntlm"]),
        OF_REQUESTS_NTLM,
    ),
    row("a server of HTTP on pyspnego, in clear and over TLS", PYSPNEGO, OF_PYSPNEGO_OVER_HTTP),
    row("Apache with mod_auth_gssapi: server of HTTP, and a proxy", APACHE_GSS, GSSAPI_OF_APACHE),
];

const OF_REQUESTS_NTLM: &[Cell] = &[
    Of(&["http::requests_ntlm_logs_on_in_clear_and_over_tls_bound_to_the_certificate"]),
    Of(&["http::requests_ntlm_logs_on_in_clear_and_over_tls_bound_to_the_certificate"]),
    Of(&[
        "http::requests_ntlm_logs_on_in_clear_and_over_tls_bound_to_the_certificate",
        "http::requests_ntlm_that_is_not_bound_is_taken_unless_bindings_are_required",
    ]),
    Nothing,
    Nothing,
];

const OF_PYSPNEGO_OVER_HTTP: &[Cell] = &[
    Of(&["http::our_client_logs_on_to_a_server_of_pyspnego_and_not_with_a_wrong_password"]),
    Of(&["http::our_client_logs_on_to_a_server_of_pyspnego_and_not_with_a_wrong_password"]),
    Of(&[
        "http::our_client_logs_on_to_a_server_of_pyspnego_and_not_with_a_wrong_password",
        "http::our_client_on_another_channel_is_refused_by_pyspnego_and_taken_on_none",
    ]),
    Nothing,
    Nothing,
];

const GSSAPI_OF_APACHE: &[Cell] = &[
    Of(&[
        "http::our_client_logs_on_to_apache_with_mod_auth_gssapi_and_not_with_a_wrong_password",
        "http::our_client_logs_on_to_apache_as_a_proxy_and_not_with_a_wrong_password",
    ]),
    Of(&[
        "http::our_client_logs_on_to_apache_with_mod_auth_gssapi_and_not_with_a_wrong_password",
        "http::our_client_logs_on_to_apache_as_a_proxy_and_not_with_a_wrong_password",
    ]),
    Nothing,
    Nothing,
    Nothing,
];

/// Those of `negotiate.rs` are run with all of its libraries, one after the other.
const AGREED: Cell = Of(&[
    "negotiate::our_client_and_their_servers_agree_on_ntlm_and_on_messages",
    "negotiate::our_server_and_their_clients_agree_on_ntlm_and_on_messages",
    "negotiate::their_servers_choose_ntlm_from_a_longer_list_of_ours",
    "negotiate::their_clients_sign_the_list_when_our_server_requests_it",
]);
const WRONG_PASSWORD: Cell = Of(&["negotiate::a_wrong_password_is_refused_by_both_roles"]);
const BOUND: Cell = Of(&[
    "negotiate::our_client_and_their_servers_agree_on_ntlm_and_on_messages",
    "negotiate::our_server_and_their_clients_agree_on_ntlm_and_on_messages",
    "negotiate::a_client_on_another_channel_is_refused_by_both_roles",
]);
const SIGNED: Cell = Of(&["negotiate::both_roles_sign_where_nobody_asks_for_encryption"]);

const NEGOTIATE: &[Row] = &[
    row("pyspnego: client and server", PYSPNEGO, &[AGREED, WRONG_PASSWORD, BOUND, SIGNED, AGREED]),
    row(
        "MIT's GSSAPI with gss-ntlmssp: client and server",
        GSS,
        &[AGREED, WRONG_PASSWORD, BOUND, SIGNED, AGREED],
    ),
    row(
        "Samba's ntlm_auth: client and server, without messages",
        SAMBA,
        &[AGREED, WRONG_PASSWORD, Nothing, Nothing, Nothing],
    ),
    row(
        "MIT's GSSAPI: a server that speaks first",
        GSS,
        &[
            Of(&["negotiate::our_client_takes_the_hints_of_a_server_that_speaks_first"]),
            Of(&["negotiate::our_client_takes_the_hints_of_a_server_that_speaks_first"]),
            Nothing,
            Of(&["negotiate::our_client_takes_the_hints_of_a_server_that_speaks_first"]),
            Of(&["negotiate::our_client_takes_the_hints_of_a_server_that_speaks_first"]),
        ],
    ),
    row(
        "curl `--negotiate`, `--proxy-negotiate`: client of HTTP, in clear and over TLS, to a proxy",
        Version::Debian(&["curl", "gss-ntlmssp"]),
        &[
            Of(&[
                "http::curl_negotiates_with_gss_ntlmssp_and_not_with_a_wrong_password",
                "http::curl_logs_on_to_a_proxy",
            ]),
            Of(&[
                "http::curl_negotiates_with_gss_ntlmssp_and_not_with_a_wrong_password",
                "http::curl_logs_on_to_a_proxy",
            ]),
            Nothing,
            Nothing,
            Nothing,
        ],
    ),
    row(
        "requests-ntlm: client of HTTP, which is asked to negotiate",
        Version::PyPi("ntlm", &["requests-ntlm"]),
        OF_REQUESTS_NTLM,
    ),
    row("a server of HTTP on pyspnego, in clear and over TLS", PYSPNEGO, OF_PYSPNEGO_OVER_HTTP),
    row("Apache with mod_auth_gssapi: server of HTTP, and a proxy", APACHE_GSS, GSSAPI_OF_APACHE),
    row(
        "ldapsearch with Cyrus SASL and gss-ntlmssp: client of LDAP",
        Version::Debian(&["ldap-utils", "libsasl2-2", "gss-ntlmssp"]),
        &[
            Of(&["ldap::ldapsearch_binds_to_our_server_and_reads_sealed_and_signed_answers"]),
            Of(&["ldap::ldapsearch_with_a_wrong_password_is_refused"]),
            Nothing,
            Of(&["ldap::ldapsearch_binds_to_our_server_and_reads_sealed_and_signed_answers"]),
            Of(&["ldap::ldapsearch_binds_to_our_server_and_reads_sealed_and_signed_answers"]),
        ],
    ),
    row(
        "Samba's ldbsearch: client of LDAP",
        Version::Debian(&["ldb-tools", "samba-dsdb-modules"]),
        &[
            Of(&["ldap::samba_as_client_binds_to_our_server_and_reads_sealed_and_signed_answers"]),
            Of(&["ldap::samba_as_client_with_a_wrong_password_is_refused"]),
            Nothing,
            Of(&["ldap::samba_as_client_binds_to_our_server_and_reads_sealed_and_signed_answers"]),
            Of(&["ldap::samba_as_client_binds_to_our_server_and_reads_sealed_and_signed_answers"]),
        ],
    ),
    row(
        "OpenLDAP with Cyrus SASL and gss-ntlmssp: server of LDAP",
        Version::Debian(&["slapd", "libsasl2-2", "gss-ntlmssp"]),
        &[
            Of(&["ldap::openldap_as_server_takes_our_client_sealed_and_signed"]),
            Of(&["ldap::openldap_as_server_takes_our_client_sealed_and_signed"]),
            Nothing,
            Of(&["ldap::openldap_as_server_takes_our_client_sealed_and_signed"]),
            Of(&["ldap::openldap_as_server_takes_our_client_sealed_and_signed"]),
        ],
    ),
    row(
        "Samba's directory: server of LDAP",
        DIRECTORY,
        &[
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Nothing,
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
            Of(&["winbind::accounts_of_a_domain_log_on_and_nobody_else"]),
        ],
    ),
];

const HTTP_DIGEST: &[Row] = &[
    row(
        "curl: client, also of a proxy; MD5 and SHA-256 with their sessions, hashed names",
        CURL,
        &[
            Of(&[
                "digest_http::curl_logs_on_with_the_algorithms_that_it_has_and_not_with_a_wrong_password",
                "digest_http::curl_posts_a_form_with_its_name_hashed",
                "digest_http::curl_logs_on_to_a_proxy",
            ]),
            Of(&[
                "digest_http::curl_logs_on_with_the_algorithms_that_it_has_and_not_with_a_wrong_password",
                "digest_http::curl_logs_on_to_a_proxy",
            ]),
            Nothing,
        ],
    ),
    row(
        "neon: client; every algorithm, hashed names, single nonces",
        Version::Debian(&["libneon27"]),
        &[
            Of(&[
                "digest_http::neon_logs_on_with_every_algorithm_finds_our_proof_right_and_is_refused_with_a_wrong_password",
                "digest_http::neon_takes_the_next_nonce_from_a_server_whose_nonces_are_used_once",
            ]),
            Of(&[
                "digest_http::neon_logs_on_with_every_algorithm_finds_our_proof_right_and_is_refused_with_a_wrong_password",
            ]),
            Of(&[
                "digest_http::neon_logs_on_with_every_algorithm_finds_our_proof_right_and_is_refused_with_a_wrong_password",
                "digest_http::neon_finds_a_wrong_proof_wrong",
            ]),
        ],
    ),
    row(
        "requests, httpx (HTTP/2, too), aiohttp (auth-int, too): clients",
        Version::PyPi("http", &["requests", "httpx", "h2", "aiohttp"]),
        &[
            Of(&["digest_http::libraries_of_python_log_on_and_not_with_a_wrong_password"]),
            Of(&["digest_http::libraries_of_python_log_on_and_not_with_a_wrong_password"]),
            Nothing,
        ],
    ),
    row(
        "Apache with mod_auth_digest: server, and a proxy; MD5",
        Version::Debian(&["apache2-bin"]),
        &[
            Of(&[
                "digest_http::apache_accepts_our_client_proves_itself_and_refuses_a_wrong_password",
                "digest_http::apache_as_a_proxy_accepts_our_client_and_refuses_a_wrong_password",
            ]),
            Of(&[
                "digest_http::apache_accepts_our_client_proves_itself_and_refuses_a_wrong_password",
                "digest_http::apache_as_a_proxy_accepts_our_client_and_refuses_a_wrong_password",
            ]),
            Of(&["digest_http::apache_accepts_our_client_proves_itself_and_refuses_a_wrong_password"]),
        ],
    ),
    row(
        "lighttpd: server, which proves nothing; MD5, SHA-256, hashed names",
        Version::Debian(&["lighttpd"]),
        &[
            Of(&[
                "digest_http::lighttpd_accepts_our_client_with_what_it_offers_and_refuses_a_wrong_password",
            ]),
            Of(&[
                "digest_http::lighttpd_accepts_our_client_with_what_it_offers_and_refuses_a_wrong_password",
            ]),
            Nothing,
        ],
    ),
    row(
        "a server on Python's hashlib; every algorithm and quality, hashed names and others beyond ASCII, stale and next nonces",
        Version::Debian(&["python3"]),
        &[
            Of(&[
                "digest_http::a_server_of_python_accepts_our_client_with_every_algorithm_and_quality_and_refuses_a_wrong_password",
                "digest_http::our_client_hashes_names_writes_those_beyond_ascii_and_follows_nonces",
            ]),
            Of(&[
                "digest_http::a_server_of_python_accepts_our_client_with_every_algorithm_and_quality_and_refuses_a_wrong_password",
                "digest_http::our_client_hashes_names_writes_those_beyond_ascii_and_follows_nonces",
            ]),
            Of(&[
                "digest_http::a_server_of_python_accepts_our_client_with_every_algorithm_and_quality_and_refuses_a_wrong_password",
                "digest_http::our_client_refuses_a_server_of_python_whose_proof_is_wrong_or_missing",
            ]),
        ],
    ),
];

const SASL_DIGEST: &[Row] = &[
    row(
        "Cyrus SASL: server, as OpenLDAP's slapd and by its library",
        Version::Debian(&["libsasl2-2", "slapd"]),
        &[
            Of(&["digest::openldap_as_server_takes_every_protection_of_our_client"]),
            Of(&["digest::openldap_as_server_takes_every_protection_of_our_client"]),
            Of(&["digest::openldap_as_server_takes_every_protection_of_our_client"]),
            Of(&["digest::openldap_as_server_takes_every_protection_of_our_client"]),
            Of(&[
                "digest_again::cyrus_as_server_lets_our_client_log_on_again",
                "digest_again::cyrus_as_server_does_not_take_a_wrong_proof_or_count_and_our_client_takes_its_challenge",
                "digest_again::cyrus_as_server_does_not_take_what_was_said_before",
            ]),
            Of(&[
                "digest_again::cyrus_and_we_send_no_more_than_the_other_takes_in_either_role",
                "digest_again::cyrus_and_we_refuse_longer_messages_than_we_take_in_either_role",
            ]),
        ],
    ),
    row(
        "Cyrus SASL: client, as ldapwhoami and by its library; again without a layer only, since it would have the same keys",
        Version::Debian(&["libsasl2-2", "ldap-utils"]),
        &[
            Of(&["digest::openldap_as_client_gets_every_protection_of_our_server"]),
            Of(&["digest::openldap_as_client_gets_every_protection_of_our_server"]),
            Of(&["digest::openldap_as_client_gets_every_protection_of_our_server"]),
            Of(&["digest::openldap_as_client_gets_every_protection_of_our_server"]),
            Of(&[
                "digest_again::cyrus_as_client_logs_on_again_where_there_is_no_layer",
                "digest_again::cyrus_as_client_gets_another_challenge_where_its_keys_would_be_the_same_again",
                "digest_again::cyrus_as_client_gets_another_challenge_where_our_server_lets_nobody_log_on_again",
            ]),
            Of(&[
                "digest_again::cyrus_and_we_send_no_more_than_the_other_takes_in_either_role",
                "digest_again::cyrus_and_we_refuse_longer_messages_than_we_take_in_either_role",
            ]),
        ],
    ),
    row(
        "GNU SASL: server",
        GSASL,
        &[
            Of(&["digest::gsasl_as_server_takes_our_client_and_talks_and_refuses_a_wrong_password"]),
            Of(&["digest::gsasl_as_server_takes_our_client_and_talks_and_refuses_a_wrong_password"]),
            Of(&["digest::gsasl_as_server_takes_our_client_and_talks_and_refuses_a_wrong_password"]),
            Lacks("it has auth-conf by name only", &["digest::gsasl_has_no_confidentiality_in_either_role"]),
            Lacks(
                "its server begins with a challenge and its client waits for one",
                &["digest_again::gsasl_begins_anew_in_either_role"],
            ),
            Lacks(
                "it does not look at ours and says none; what is longer we refuse",
                &["digest_again::gsasl_sends_more_than_we_take_and_is_refused"],
            ),
        ],
    ),
    row(
        "GNU SASL: client",
        GSASL,
        &[
            Of(&["digest::gsasl_as_client_logs_on_and_talks_and_is_refused_with_a_wrong_password"]),
            Of(&["digest::gsasl_as_client_logs_on_and_talks_and_is_refused_with_a_wrong_password"]),
            Of(&["digest::gsasl_as_client_logs_on_and_talks_and_is_refused_with_a_wrong_password"]),
            Lacks("it has auth-conf by name only", &["digest::gsasl_has_no_confidentiality_in_either_role"]),
            Lacks(
                "its server begins with a challenge and its client waits for one",
                &["digest_again::gsasl_begins_anew_in_either_role"],
            ),
            Lacks(
                "it does not look at ours and says none; what is longer we refuse",
                &["digest_again::gsasl_sends_more_than_we_take_and_is_refused"],
            ),
        ],
    ),
    row(
        "Java: client and server",
        JAVA,
        &[
            Of(&["digest::java_as_client_and_as_server_has_every_protection"]),
            Of(&["digest::java_with_a_wrong_password_is_refused_and_refuses_one"]),
            Of(&["digest::java_as_client_and_as_server_has_every_protection"]),
            Of(&["digest::java_as_client_and_as_server_has_every_protection"]),
            Not("this was not tried"),
            Not("this was not tried"),
        ],
    ),
];

const DIRECTORIES: &[Row] = &[
    row(
        "OpenLDAP: accounts of certificates are found there, and nobody's else",
        Version::Debian(&["slapd"]),
        &[Of(&[
            "accounts::a_upn_with_its_security_identifier_is_found_over_tls_start_tls_and_in_clear",
            "accounts::a_directory_that_cannot_prove_who_it_is_is_not_believed",
            "accounts::weak_and_contradicting_upns_are_refused",
            "accounts::an_authority_that_may_not_name_users_does_not",
            "accounts::every_kind_of_security_identity_is_found",
            "accounts::a_certificate_that_may_not_be_mapped_is_refused_and_the_directory_is_not_even_asked",
            "accounts::two_accounts_are_none",
            "accounts::nothing_in_any_field_of_a_certificate_means_anything_to_the_directory",
            "accounts::the_name_of_an_authority_means_nothing_to_the_directory_either",
            "accounts::a_password_or_a_base_that_is_wrong_is_said",
            "accounts::a_mapping_that_is_taken_away_refuses_the_resumption_of_a_session",
            "accounts::threads_find_accounts_too",
        ])],
    ),
    row(
        "OpenLDAP: it is down, or slow",
        Version::Debian(&["slapd"]),
        &[Of(&[
            "accounts::a_directory_that_is_down_is_no_account_and_it_is_asked_again_when_it_is_back",
            "accounts::a_directory_that_is_slow_is_given_up_at_the_deadline",
        ])],
    ),
    row(
        "Samba's Active Directory: accounts of certificates are found there",
        DIRECTORY,
        &[Of(&["active_directory::accounts_are_found_in_active_directory"])],
    ),
];

const FARMS: &[Row] = &[
    row(
        "Redis: servers share sessions and keys",
        REDIS,
        &[Of(&[
            "farm::what_one_machine_made_the_other_takes_up_in_every_protocol",
            "farm::redis_learns_nothing_and_what_it_alters_or_moves_is_none",
            "farm::a_user_of_redis_needs_the_rights_of_the_document_and_no_more",
            "farm::keys_are_changed_without_losing_a_session_and_without_a_key_there_is_none",
            "farm::a_session_that_is_used_is_renewed_under_the_key_that_it_was_made_with",
            "farm::whose_session_it_is_another_machine_knows_and_judges_again",
            "farm::the_sessions_are_listed_and_cleared",
        ])],
    ),
    row(
        "Redis: sessions that were removed and are put back, and machines that start anew",
        REDIS,
        &[Of(&[
            "farm::a_session_that_failed_and_is_put_back_is_none_for_any_machine",
            "farm::a_machine_that_finds_no_other_takes_up_what_is_made_from_then_on",
            "farm::a_machine_that_meets_a_session_of_others_asks_them_what_they_removed",
            "farm::machines_that_are_restarted_one_after_the_other_lose_no_session",
            "farm::what_is_kept_or_renewed_after_it_was_removed_is_not_there",
        ])],
    ),
    row(
        "Redis: slow, killed, full, only reading, answering garbage, and coming late",
        REDIS,
        &[Of(&[
            "farm::redis_is_slow_or_killed_in_the_middle_of_a_handshake_and_comes_back",
            "farm::redis_is_full_and_nobody_minds",
            "farm::a_redis_that_only_reads_is_asked_for_what_is_there",
            "farm::redis_answers_garbage_and_nobody_minds",
            "farm::what_is_no_redis_is_a_store_that_is_down",
            "farm::a_farm_begins_without_its_store",
        ])],
    ),
];

const RENEGOTIATION: &[Row] = &[
    row(
        "OpenSSL: client and server",
        Version::Debian(&["openssl"]),
        &[Of(&[
            "renegotiation::a_client_of_openssl_begins_and_is_asked",
            "renegotiation::a_client_of_openssl_that_may_not_begin_is_told_so",
            "renegotiation::a_server_of_openssl_asks_with_and_without_certificate_and_answers_and_declines",
        ])],
    ),
    row(
        "Java: client and server, with RFC 5746 and without",
        JAVA,
        &[Of(&[
            "renegotiation::a_client_of_java_begins_and_is_asked",
            "renegotiation::a_server_of_java_requires_a_certificate_in_the_second_handshake",
            "renegotiation::a_server_of_java_without_rfc_5746_asks_in_vain_and_we_do_not",
        ])],
    ),
    row(
        "GnuTLS: client and server, with RFC 5746 and without",
        Version::Debian(&["gnutls-bin"]),
        &[Of(&[
            "renegotiation::a_client_of_gnutls_begins_and_is_asked_and_without_rfc_5746_it_is_refused_unless_the_setting_lets_it",
            "renegotiation::a_server_of_gnutls_asks_and_answers_and_without_rfc_5746_we_do_not_begin",
        ])],
    ),
];
