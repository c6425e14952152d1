namespace Veredus.Configuration;

public static partial class Options
{
    private static readonly OptionSection Listeners = new(1, "Listeners");

    public static readonly Option<bool> Enable = Listeners.Bool("enable", E | C | W | X | L, true, "Switches a listener or one socket off without deleting it.");
    public static readonly Option<int> ListenBacklog = Listeners.Int("listen_backlog", E | C | W | X | L, 500, "Connections that wait to be accepted (listen(2)).", min: 1, max: 65535);
    public static readonly Option<UnixFileMode> FileMode = Listeners.Mode("file_mode", E | C | W | X | L, "0660", "Mode of a Unix socket.");
    public static readonly Option<TimeSpan> ConsoleTimeout = Listeners.Seconds("timeout", C, 60, "An idle console session is closed after this time.");
    public static readonly Option<TimeSpan> IdleTime = Listeners.Seconds("idle_time", E | W | L | P | PW | PG, 300, "An idle client is disconnected after this time; 0 = never.");
    public static readonly Option<bool> DisableNagleAlgorithm = Listeners.Bool("disable_nagle_algorithm", E | C | W | X | L | G, false, "Sets TCP_NODELAY.", NotYet);
    public static readonly Option<long> TcpRecvBufferSize = Listeners.Bytes("tcp_recv_buffer_size", E | C | W | X | L, 0, "Receive buffer of the socket; 0 = as the system sets it.", NotYet);
    public static readonly Option<long> TcpSendBufferSize = Listeners.Bytes("tcp_send_buffer_size", E | C | W | X | L, 0, "Send buffer of the socket; 0 = as the system sets it.", NotYet);

    public static readonly Option<bool> EnableDuravip = Listeners.Bool("enable_duravip", L | B, false, "The address is a virtual address of the cluster.");
    public static readonly Option<string?> DuravipPreference = Listeners.Name("duravip_preference", L | B, "Node that shall own the address while it is healthy.");
    public static readonly Option<string?> DuravipFollow = Listeners.Name("duravip_follow", L, "Binding (or its address) that this address follows.");

    private static readonly OptionSection Reception = new(2, "SMTP reception");

    public static readonly Option<string?> BannerHostname = Reception.HostName("banner_hostname", IN, "Name in the greeting and the EHLO reply; unset = hostname.");
    public static readonly Option<string?> StaticBanner = Reception.Other<string?>("static_banner", IN, "string", "", null, Readers.Scalar<string?>("a line that starts with '220 ', at most 500 characters", ReadBanner), "Whole greeting line.");
    public static readonly Option<string?> ReceivedHostname = Reception.HostName("received_hostname", IN, "Name in the Received header; unset = hostname.");
    public static readonly Option<int> ListenerSessions = Reception.Int("listener_sessions", IN, 0, "Most sessions of this listener at a time; 0 = no limit.");
    public static readonly Option<int> ServiceSessions = Reception.Int("service_sessions", IN, 0, "Most sessions over all ESMTP listeners at a time; 0 = no limit.");
    public static readonly Option<int> MaxReceptionsPerConnection = Reception.Int("max_receptions_per_connection", IN | G, 0, "Messages per session, then 421; 0 = no limit.");
    public static readonly Option<int> MaxRecipientsPerConnection = Reception.Int("max_recipients_per_connection", E | L | P | SND, 0, "Recipients per session, inbound and outbound; 0 = no limit.");
    public static readonly Option<int> MaxRecipientsPerMessage = Reception.Int("max_recipients_per_message", IN, 0, "Recipients per message; 0 = no limit.");
    public static readonly Option<long> MaxMessageSize = Reception.Bytes("max_message_size", IN, 0, "Larger messages get 552 5.3.4; advertised as SIZE; 0 = no limit.");
    public static readonly Option<IReadOnlyList<string>> SmtpExtensions = Reception.List("smtp_extensions", IN, "Extra EHLO keywords.",
        expected: "a list of ENHANCEDSTATUSCODES, STARTTLS, \"AUTH PLAIN\", \"AUTH LOGIN\", \"AUTH SCRAM-SHA-256\", XCLIENT, XREMOTEIP, XSETCONTEXT, XDUMPCONTEXT, DSN, CHUNKING, SMTPUTF8, ALWAYS-ALLOW",
        valid: text => text.ToUpperInvariant() is "ENHANCEDSTATUSCODES" or "STARTTLS" or "XCLIENT" or "XREMOTEIP" or "XSETCONTEXT" or "XDUMPCONTEXT" or "DSN" or "CHUNKING" or "SMTPUTF8" or "ALWAYS-ALLOW" or "8BITMIME" or "PIPELINING"
            || (text.StartsWith("AUTH ", StringComparison.OrdinalIgnoreCase) && text.Length > 5));
    public static readonly Option<bool> RequireEhlo = Reception.Bool("require_ehlo", IN | G, false, "Commands before EHLO or HELO are rejected.");
    public static readonly Option<bool> AllowIpLiteral = Reception.Bool("allow_ip_literal", IN | G, true, "Addresses such as user@[192.0.2.1] are accepted.");
    public static readonly Option<bool> AllowNullEnvelopeSender = Reception.Bool("allow_null_envelope_sender", IN | G, true, "MAIL FROM:<> is accepted.");
    public static readonly Option<bool> AllowTrailingWhitespaceInCommands = Reception.Bool("allow_trailing_whitespace_in_commands", IN | G, false, "Blanks between the address and its brackets are tolerated.", NotYet);
    public static readonly Option<string?> DomainForUnqualifiedSenderAddress = Reception.HostName("domain_for_unqualified_sender_address", IN | G, "Appended to a sender without domain (envelope only).");
    public static readonly Option<string?> DomainForUnqualifiedRecipientAddresses = Reception.HostName("domain_for_unqualified_recipient_addresses", IN | G, "Appended to a recipient without domain (envelope only).");
    public static readonly Option<ValueDictionary> Context = Reception.Dictionary("context", IN, "Connection context variables for policy and rules.");
    public static readonly Option<string?> PathwayName = Reception.Text("pathway", E | L | P, "Attaches a pathway scope.", type: "name");
    public static readonly Option<string> ReconfigMessage = Reception.TextOr("reconfig_message", E, "4.3.2 Reconfiguration in progress", "Text after 421 when a session has to end because the configuration changed.");
    public static readonly Option<StartTlsInjectionPolicy> StarttlsInjectionPolicy = Reception.Word("starttls_injection_policy", IN, "Plain text pipelined after STARTTLS (CVE-2011-0411); allow behaves as ignore.", Active,
        ("reject", StartTlsInjectionPolicy.Reject), ("ignore", StartTlsInjectionPolicy.Ignore), ("allow", StartTlsInjectionPolicy.Ignore));
    public static readonly Option<Rate> InboundThrottleMessages = Reception.Rate("inbound_throttle_messages", G | PG | PW, "Limit of accepted messages.");
    public static readonly Option<bool> Rfc2821AllowWhitespaceInEnvelope = Reception.Bool("rfc2821_allow_whitespace_in_envelope", G | PG | PW, false, "Trailing blanks before CRLF are tolerated.");
    public static readonly Option<bool> Rfc2821PedanticAddressRules = Reception.Bool("rfc2821_pedantic_address_rules", G | PG | PW, true, "false accepts a..b@ and a.@ in addresses.");
    public static readonly Option<DateHeaderRule> Rfc2822DateHeader = Reception.Word("rfc2822_date_header", G | PG | PW, "Missing Date: add, leave or reject.", Active,
        ("ifneeded", DateHeaderRule.IfNeeded), ("ignore", DateHeaderRule.Ignore), ("pedantic", DateHeaderRule.Pedantic));
    public static readonly Option<MessageIdHeaderRule> Rfc2822MessageidHeader = Reception.Word("rfc2822_messageid_header", G | PG | PW, "Missing Message-ID: add or leave.", Active,
        ("ifneeded", MessageIdHeaderRule.IfNeeded), ("ignore", MessageIdHeaderRule.Ignore));
    public static readonly Option<MissingHeadersRule> Rfc2822MissingHeaders = Reception.Word("rfc2822_missing_headers", G | PG | PW, "Message without a header section.", Active,
        ("reject", MissingHeadersRule.Reject), ("allow", MissingHeadersRule.Allow));
    public static readonly Option<LoneLfRule> Rfc2822LoneLfInHeaders = Reception.Word("rfc2822_lone_lf_in_headers", G | PG | PW, "Bare CR or LF in headers: reject or repair.", Active,
        ("pedantic", LoneLfRule.Pedantic), ("fix", LoneLfRule.Fix));
    public static readonly Option<LoneLfRule> Rfc2822LoneLfInBody = Reception.Word("rfc2822_lone_lf_in_body", G | PG | PW, "Bare CR or LF in the body.", Active,
        ("ignore", LoneLfRule.Ignore), ("pedantic", LoneLfRule.Pedantic), ("fix", LoneLfRule.Fix));
    public static readonly Option<LineLengthRule> Rfc2822MaxLineLength = Reception.Word("rfc2822_max_line_length", G | PG | PW, "The 998-octet line rule, or an own limit.", Active,
        text => (Readers.Int(text, out var octets) && octets is >= 78 and <= 1_000_000, new LineLengthRule(LineLengthMode.Limit, octets)),
        ("ignore", new LineLengthRule(LineLengthMode.Ignore, 0)), ("pedantic", new LineLengthRule(LineLengthMode.Pedantic, 998)), ("fix", new LineLengthRule(LineLengthMode.Fix, 998)));
    public static readonly Option<LineLengthPolicy> Rfc2822MaxLineLengthPolicy = Reception.Word("rfc2822_max_line_length_policy", G | PG | PW, "What to do beyond a numeric limit.", Active,
        ("none", LineLengthPolicy.None), ("fix", LineLengthPolicy.Fix), ("reject", LineLengthPolicy.Reject));
    public static readonly Option<bool> Rfc2822TraceHeaders = Reception.Bool("rfc2822_trace_headers", G | PG | PW, true, "Adds Received, sets Return-Path.");
    public static readonly Option<IReadOnlyList<string>> AliasSchemes = Reception.List("alias_schemes", D | G | PW | PG, "Alias expansion schemes.", NotYet);

    private static readonly OptionSection Relay = new(3, "Relay permission");

    public static readonly Option<CidrList> RelayHosts = Relay.Networks("relay_hosts", IN | G, "Clients that may relay anywhere; a listener's value replaces the global one.");
    public static readonly Option<DomainGlobList> RelayDomains = Relay.Domains("relay_domains", G | PG | PW, "Recipient domains accepted from anyone.");
    public static readonly Option<bool> OpenRelay = Relay.Bool("open_relay", IN, false, "Everyone whom the scope matches may relay; meant for a peer.");
    public static readonly Option<DomainGlobList> RelayForSendingDomains = Relay.Domains("relay_for_sending_domains", IN, "Relaying is allowed when the envelope sender's domain matches.");
    public static readonly Option<bool> TlsVerifiedPeerCanRelay = Relay.Bool("tls_verified_peer_can_relay", IN, false, "A client with a verified certificate may relay.");
    public static readonly Option<DomainGlobList> BounceDomains = Relay.Domains("bounce_domains", G | PG | PW, "Also accepted from anyone; where bounces come back to.");

    private static bool ReadBanner(string text, out string? value)
    {
        value = text;
        return text.Length <= 500 && (text == "220" || text.StartsWith("220 ", StringComparison.Ordinal)) && !text.AsSpan().ContainsAnyExceptInRange(' ', '~');
    }

#pragma warning disable CA1823, IDE0052 // registers rows
    private static readonly bool ListenerRowsIgnored = IgnoreRows(() =>
    {
        Listeners.Ignore(E | L, "Listeners run on the runtime's thread pool.", "event_loop");
        Listeners.Ignore(E | C | W | X | L, "Accepting is asynchronous.", "concurrency", "pool_name", "events_per_iter", "accept_queue_backlog");
        Reception.Ignore(G | PG | PW, "There is no content policy in the core.", "default_charset");
        Reception.Ignore(G, "Internal tuning.", "mime_parse_large_messages_during_reception");
    });

    private static bool IgnoreRows(Action rows)
    {
        rows();
        return true;
    }
}
