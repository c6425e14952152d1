namespace Veredus.Reception;

/// <summary>Keys of the connection and message contexts (mta.md 3.1). Those with <c>#</c> are internal: shown to operators, never to policy of others.</summary>
public static class ContextKeys
{
    public const string EhloString = "ehlo_string";
    public const string EhloDomain = "ehlo_domain";
    public const string CanRelay = "can_relay";
    public const string AuthName = "auth_name";
    public const string AuthStatus = "auth_status";
    public const string AuthUser = "auth_user";
    public const string ConnectionMessageCount = "connection_message_count";
    public const string ConnectionRcptCount = "connection_rcpt_count";
    public const string MessageRcptCount = "message_rcpt_count";
    public const string Pathway = "pathway";
    public const string Tls = "tls";
    public const string TlsCipher = "tls_cipher";
    public const string TlsCipherBits = "tls_cipher_algbits";
    public const string TlsCipherUsedBits = "tls_cipher_usebits";
    public const string TlsClientSubject = "tls_client_cert_subject";
    public const string TlsClientSubjectName = "tls_client_cert_subject_cn";
    public const string TlsClientIssuer = "tls_client_cert_issuer";
    public const string TlsClientIssuerName = "tls_client_cert_issuer_cn";
    public const string TlsClientVerified = "tls_client_verified";
    public const string EarlyTalker = "early_talker";
    public const string MailLoopCount = "mail_loop_header_count";
    public const string UnrecognizedCommands = "conntrol_unrecognized_commands";
    public const string BadCommands = "conntrol_bad_commands";
    public const string MailFrom = "mailfrom_string";
    public const string MailFromLocalpart = "mailfrom_localpart";
    public const string MailFromDomain = "mailfrom_domain";
    public const string RcptTo = "rcptto_string";
    public const string RcptToLocalpart = "rcptto_localpart";
    public const string RcptToDomain = "rcptto_domain";
    public const string DateMissing = "rfc2822_date_missing";

    /// <summary><c>assign_binding</c> of where the message came in.</summary>
    public const string AssignBinding = "#assign_binding";

    /// <summary><c>assign_binding_group</c> of where the message came in.</summary>
    public const string AssignBindingGroup = "#assign_binding_group";

    /// <summary>Value of the binding header, when the session was trusted to name a binding.</summary>
    public const string BindingHeader = "#binding_header";

    /// <summary>Key of a header that a binding rule looks at.</summary>
    public static string Header(string name) => "#header:" + name.ToLowerInvariant();
}
