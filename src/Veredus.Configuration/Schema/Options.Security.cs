using System.Security.Authentication;
using static Veredus.Configuration.ScopeKinds;

namespace Veredus.Configuration;

public static partial class Options
{
    private static readonly OptionSection Access = new(4, "Authentication and authorization");

    public static readonly Option<bool> EnableAuthentication = Access.Bool("enable_authentication", E | C | W | L | P | PW | PG, false, "Asks for credentials.");
    public static readonly Option<bool> EnableAuthorization = Access.Bool("enable_authorization", C | L | P, false, "Checks every console command against the authorization roles.");
    public static readonly Option<bool> AlwaysAllow = Access.Bool("always_allow", E | C | W | L | P | PW | PG, false, "Authentication counts as successful (user anonymous) unless always_deny is set.");
    public static readonly Option<bool> AlwaysDeny = Access.Bool("always_deny", E | C | W | L | P | PW | PG, false, "Authentication counts as failed; wins over always_allow.");
    public static readonly Option<ValueDictionary> AuthPlainParameters = Access.Dictionary("authplainparameters", E | C | W | L | PW | PG, "AUTH PLAIN: uri, realm, log_authentication, allow_plaintext.");
    public static readonly Option<ValueDictionary> AuthLoginParameters = Access.Dictionary("authloginparameters", C | E | L | PW | PG, "AUTH LOGIN: uri, allow_plaintext.");
    public static readonly Option<ValueDictionary> AuthScramParameters = Access.Dictionary("authscramparameters", C | E | L | P | PW | PG, "SCRAM-SHA-256: uri = scram://file.");
    public static readonly Option<ValueDictionary> AuthCramMd5Parameters = Access.Dictionary("authcrammd5parameters", C | E | L | PW | PG, "CRAM-MD5: needs a clear-text store.", NotYet);
    public static readonly Option<ValueDictionary> AuthorizationParameters = Access.Dictionary("authorizationparameters", C | E | L, "uri = groups://file maps users to roles.");
    public static readonly Option<PatternList> RoleAllow = Access.Patterns("allow", Role, "Console commands that the role may give; the first match allows, no match denies.");

    private static readonly OptionSection Tls = new(5, "TLS");
    private const ScopeKinds TlsServer = E | C | L | P | W | PW | PG | EcClusterListener;

    public static readonly Option<bool> UseSsl = Tls.Bool("use_ssl", TlsServer, false, "Implicit TLS, as on port 465; excludes STARTTLS on that socket.");
    public static readonly Option<TlsPolicy> TlsOutbound = Tls.Word("tls", SND, "STARTTLS towards the next hop.", Active,
        ("no", TlsPolicy.No), ("ifavailable", TlsPolicy.IfAvailable), ("required", TlsPolicy.Required));
    public static readonly Option<bool> TlsIfavailableFallback = Tls.Bool("tls_ifavailable_fallback", SND, true, "After a failed handshake: true = at once in clear text, false = delay and retry with TLS.");
    public static readonly Option<TlsVerify> TlsVerifyServer = Tls.Word("tls_verify", SND, "Check of the next hop's certificate; optional checks but delivers anyway.", Active,
        ("no", TlsVerify.No), ("ca", TlsVerify.Ca), ("host", TlsVerify.Host), ("optional", TlsVerify.Optional));
    public static readonly Option<string?> TlsCa = Tls.File("tls_ca", SND, "Trust store for outbound connections; unset = the system's.");
    public static readonly Option<string?> TlsCertificate = Tls.File("tls_certificate", SND | TlsServer, "Certificate, may hold the key; none cancels an inherited one.");
    public static readonly Option<string?> TlsKey = Tls.File("tls_key", SND | TlsServer, "Private key.");
    public static readonly Option<string?> TlsClientCa = Tls.File("tls_client_ca", TlsServer | G, "Authorities for client certificates.");
    public static readonly Option<ClientCertificateMode> TlsVerifyMode = Tls.Word("tls_verify_mode", TlsServer, "Client certificate: checked if sent (unset), ignored, or required.", Active,
        ("", ClientCertificateMode.IfSent), ("none", ClientCertificateMode.None), ("require", ClientCertificateMode.Require));
    public static readonly Option<string> TlsCiphers = Tls.TextOr("tls_ciphers", SND | TlsServer, "DEFAULT", "OpenSSL cipher list.");
    public static readonly Option<SslProtocols> TlsProtocols = Tls.TlsProtocols("tls_protocols", SND | TlsServer, "Protocol versions; ALL is TLS 1.2 and 1.3.");
    public static readonly Option<bool> TlsVerifiedPeerIsAuthorized = Tls.Bool("tls_verified_peer_is_authorized", W | L | P | PW, false, "HTTP: a client certificate authorizes.", NotYet);

    private static readonly OptionSection Process = new(12, "Process and security");

    public static readonly Option<string> SecurityUser = Process.TextOr("user", Security, "veredus", "User of the process; set it in the service unit (User=).", NotYet, nonDynamic: true, type: "name");
    public static readonly Option<string?> SecurityGroup = Process.Name("group", Security, "Group that the process takes; unset = the user's; set it in the service unit (Group=).", NotYet, nonDynamic: true);
    public static readonly Option<IReadOnlyList<string>> SecuritySupplementalGroups = Process.List("supplemental_groups", Security, "Further groups.", NotYet, nonDynamic: true);
    public static readonly Option<string?> SecurityCapabilities = Process.Text("capabilities", Security, "Capabilities to keep, e.g. cap_net_bind_service+ep; set them in the service unit (AmbientCapabilities=).", NotYet, nonDynamic: true);
    public static readonly Option<string?> Hostname = Process.HostName("hostname", G, "Name of this host in greetings and headers; unset = as the system says.");
    public static readonly Option<string> Pidfile = Process.TextOr("pidfile", G, "/run/veredus/veredus.pid", "Where the process id is written.", nonDynamic: true, type: "path");
    public static readonly Option<string?> MasterdbFile = Process.Text("masterdb_file", G, "Persistent counters.", NotYet, nonDynamic: true, type: "path");
    public static readonly Option<TimeSpan> PermastoreInterval = Process.Seconds("permastore_interval", G, 300, "How often persistent counters are written; 0 = only at shutdown.", status: NotYet);
    public static readonly Option<string?> LocalChangesFile = Process.Text("local_changes_file", G, "File for changes made at run time; read after everything else.", type: "path");
    public static readonly Option<bool> LocalChangesOnly = Process.Bool("local_changes_only", G, false, "Every change goes to local_changes_file.");
    public static readonly Option<SigningStats> SigningStatistics = Process.Word("signing_stats", G, "DKIM counters.", NotYet, ("all", SigningStats.All), ("global", SigningStats.Global), ("off", SigningStats.Off));
    public static readonly Option<bool> OpendkimSign = Process.Bool("opendkim_sign", SND, true, "Signs with DKIM.", NotYet, nonDynamic: true);
    public static readonly Option<bool> EnableFblHeaderInsertion = Process.Bool("enable_fbl_header_insertion", SND, false, "Adds a header for feedback loops.", NotYet);
    public static readonly Option<int> ThreadPoolConcurrency = Process.Int("concurrency", ScopeKinds.ThreadPool, 0, "Workers of the pools SpoolIn and Unlink.", status: NotYet);
    public static readonly Option<long> MaxRequestSize = Process.Bytes("max_request_size", W | L | P | PW | PG, 0, "Largest HTTP request; 0 = no limit.", NotYet);

#pragma warning disable CA1823, IDE0052 // registers rows
    private static readonly bool SecurityRowsIgnored = IgnoreRows(() =>
    {
        Access.Ignore(C | E | W | L | P | PW | PG, "Obsolete (RFC 6331); use authscramparameters.", "authdigestmd5parameters");
        Tls.Ignore(TlsServer, "Renegotiation is never allowed and not part of TLS 1.3.", "tls_allow_renegotiation");
        Tls.Ignore(G, "Only elliptic-curve key exchange is used.", "tls_dhparams_file", "tls_enable_dhe_ciphers");
        Tls.Ignore(G, "TLS is the platform's.", "tls_engine", "crypto_engine", "crypto_lock_method", "ssl_lock_method");
        Process.Ignore(Security, "Use the sandboxing of systemd.", "chroot");
        Process.Ignore(ScopeKinds.ThreadPool, "Worker pools are the runtime's.", "backlog", "stack_size");
        Process.Ignore(G, "The runtime uses all cores.", "delivery_pool", "maintainer_pool");
        Process.Ignore(G, "Veredus is free software.", "license");
        Process.Ignore(G, "Metrics are served to Prometheus instead.", "snmp_traps");
        Process.Ignore(SND, "DomainKeys is dead; DKIM replaced it.", "domainkeys");
        Process.Ignore(SND, "There is no automatic shaping yet.", "adaptive_*");
        Process.Ignore(G, "systemd's WatchdogSec watches the process.", "watchdog_interval");
        Process.Ignore(W | L | P | PW | PG, "There is no such HTTP service.", "disable_chunked", "tracking_*", "mcmt_reception*");
    });
}
