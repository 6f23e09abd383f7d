//! The matrix against curl. What is left out here, and why, is in `skipped.toml`.

use opensspi_integration_tests::peers::Peer;
use opensspi_integration_tests::tests_against;

tests_against! {
    Peer::Curl;
    a_megabyte_arrives_each_way_without_a_byte_wrong: Data,
    a_server_with_an_rsa_certificate_is_verified: Rsa,
    a_server_with_an_ecdsa_certificate_and_an_intermediate_is_verified: Ecdsa,
    a_required_client_certificate_is_shown_and_verified: ClientCertificate,
    a_client_without_a_certificate_goes_on_where_it_is_only_asked: ClientCertificateOptional,
    a_client_without_a_certificate_is_refused_where_one_is_required: ClientCertificateMissing,
    unknown_and_expired_client_certificates_are_refused_with_their_alert: ClientCertificateRefused,
    sessions_resume_with_tickets: ResumeTicket,
    sessions_resume_by_id: ResumeId,
    an_application_protocol_is_agreed_on: Alpn,
    both_ends_close_in_order: CloseNotify,
    keys_change_under_way: KeyUpdate,
    both_ends_export_the_same_keying_material: Exporter,
    both_ends_have_the_same_tls_unique: TlsUnique,
    a_server_of_an_unknown_ca_is_refused_and_hears_it: UnknownCa,
    an_expired_server_is_refused_and_hears_it: Expired,
    a_server_of_another_name_is_refused_and_hears_it: WrongName,
    a_certificate_revoked_by_a_crl_is_refused_and_its_owner_hears_it: RevokedByCrl,
    a_stapled_ocsp_answer_arrives_and_is_judged: OcspStaple,
}
