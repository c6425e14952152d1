using System.Text;
using Veredus.Configuration;
using Veredus.Reception.Auth;
using Veredus.Reception.Content;
using Veredus.Smtp;

namespace Veredus.Reception.Policy;

/// <summary>What a policy needs besides the configuration's own text: loaded files and shared counters.</summary>
public interface IInboundMaterial
{
    /// <summary>This host's name.</summary>
    string Hostname { get; }

    /// <summary>Certificate and settings for a place; <see langword="null"/> when no certificate is set there.</summary>
    SmtpServerTls? Tls(OptionView view);

    /// <summary>The store behind a <c>file://</c> URI.</summary>
    PasswordStore? Passwords(string uri);

    /// <summary>The store behind a <c>scram://</c> URI.</summary>
    ScramStore? ScramSecrets(string uri);

    /// <summary>The counter that belongs to the scope where the rate is written; <see langword="null"/> when it is unlimited.</summary>
    RateGate? Throttle(Resolved<Rate> rate);
}

/// <summary>Resolves the options of one place into an <see cref="InboundPolicy"/>.</summary>
public static class InboundPolicyReader
{
    private static readonly Option[] SessionOptions = [.. Schema.AllOptions.Where(option => (option.Scopes & ScopeKinds.Inbound) != 0)];

    /// <param name="configuration">The configuration that <paramref name="view"/> is of.</param>
    /// <param name="endpoint">Name of the socket.</param>
    /// <param name="view">The options for the client.</param>
    /// <param name="isLoopback">The client's address is on this machine; Unix sockets count as that.</param>
    public static InboundPolicy Read(ConfigurationSnapshot configuration, string endpoint, OptionView view, bool isLoopback, IInboundMaterial material)
    {
        var name = view.Get(Options.PathwayName);
        var (plain, login, scram) = (view.Get(Options.AuthPlainParameters), view.Get(Options.AuthLoginParameters), view.Get(Options.AuthScramParameters));
        var lines = LineRule(view);
        return new()
        {
            Endpoint = endpoint,
            Options = SessionOptionsOf(view, isLoopback, material, plain, login),
            Content = new()
            {
                Date = view.Get(Options.Rfc2822DateHeader) switch { DateHeaderRule.Ignore => MissingDate.Ignore, DateHeaderRule.Pedantic => MissingDate.Reject, _ => MissingDate.Add },
                AddMessageId = view.Get(Options.Rfc2822MessageidHeader) == MessageIdHeaderRule.IfNeeded,
                RequireHeaders = view.Get(Options.Rfc2822MissingHeaders) == MissingHeadersRule.Reject,
                FixLineEndsInBody = view.Get(Options.Rfc2822LoneLfInBody) == LoneLfRule.Fix,
                BreakLinesAt = lines.Break,
                TraceHeaders = view.Get(Options.Rfc2822TraceHeaders),
                MaxReceivedHeaders = configuration.Get(ScopeKinds.MailLoop, Options.MailLoopMaxReceivedHeaders),
                RefuseLoops = configuration.Get(ScopeKinds.MailLoop, Options.MailLoopCode) >= 400,
                RemovedHeader = view.Get(Options.BindingHeader),
                WantedHeaders = WantedHeaders(configuration),
            },
            RefuseLinesAbove = lines.Refuse,
            RefuseLoneBreaksInHeaders = view.Get(Options.Rfc2822LoneLfInHeaders) == LoneLfRule.Pedantic,
            RefuseLoneBreaksInBody = view.Get(Options.Rfc2822LoneLfInBody) == LoneLfRule.Pedantic,
            LoopCode = configuration.Get(ScopeKinds.MailLoop, Options.MailLoopCode) is >= 400 and var code ? code : 554,
            Pathway = name ?? "default",
            PathwayGroup = view.SearchOrder.FirstOrDefault(scope => scope.Kind == ScopeKinds.PathwayGroup)?.Instance ?? "default",
            ReceivedHostname = view.Get(Options.ReceivedHostname) ?? material.Hostname,
            Hostname = material.Hostname,
            ListenerSessions = view.Get(Options.ListenerSessions),
            ServiceSessions = view.Get(Options.ServiceSessions),
            Throttle = material.Throttle(view.Resolve(Options.InboundThrottleMessages)),
            RelayHosts = view.Get(Options.RelayHosts),
            OpenRelay = view.Get(Options.OpenRelay),
            RelayDomains = view.Get(Options.RelayDomains),
            BounceDomains = view.Get(Options.BounceDomains),
            RelayForSendingDomains = view.Get(Options.RelayForSendingDomains),
            TlsVerifiedPeerCanRelay = view.Get(Options.TlsVerifiedPeerCanRelay),
            SenderDomain = view.Get(Options.DomainForUnqualifiedSenderAddress),
            RecipientDomain = view.Get(Options.DomainForUnqualifiedRecipientAddresses),
            Context = view.Get(Options.Context).ToDictionary(pair => pair.Key, pair => string.Join(' ', pair.Value), StringComparer.Ordinal),
            RequireAuthentication = view.Get(Options.EnableAuthentication),
            AlwaysAllow = view.Get(Options.AlwaysAllow),
            AlwaysDeny = view.Get(Options.AlwaysDeny),
            PlainStore = plain.Text("uri") is { } plainUri ? material.Passwords(plainUri) : null,
            LoginStore = login.Text("uri") is { } loginUri ? material.Passwords(loginUri) : null,
            ScramStore = scram.Text("uri") is { } scramUri ? material.ScramSecrets(scramUri) : null,
            AccountedMechanisms = (IsOn(plain, "log_authentication") ? AuthMechanisms.Plain : 0) | (IsOn(login, "log_authentication") ? AuthMechanisms.Login : 0)
                | (IsOn(scram, "log_authentication") ? AuthMechanisms.ScramSha256 : 0),
            AssignBinding = view.Get(Options.AssignBinding),
            AssignBindingGroup = view.Get(Options.AssignBindingGroup),
            TrustBindingHeaderFromAny = view.Get(Options.BindingHeaderFrom) == BindingHeaderTrust.Any,
            Reconfigured = Reconfigured(view.Get(Options.ReconfigMessage)),
            Fingerprint = Fingerprint(view, material.Hostname),
        };
    }

    private static SmtpServerOptions SessionOptionsOf(OptionView view, bool isLoopback, IInboundMaterial material, ValueDictionary plain, ValueDictionary login)
    {
        var extensions = SmtpExtensions.Default & ~SmtpExtensions.StartTls;
        var mechanisms = AuthMechanisms.None;
        foreach (var keyword in view.Get(Options.SmtpExtensions))
        {
            if (keyword.StartsWith("AUTH ", StringComparison.OrdinalIgnoreCase))
                mechanisms |= Mechanisms(keyword[5..]);
            else if (keyword.Equals("STARTTLS", StringComparison.OrdinalIgnoreCase))
                extensions |= SmtpExtensions.StartTls;
            else if (keyword.Equals("XCLIENT", StringComparison.OrdinalIgnoreCase))
                extensions |= SmtpExtensions.Xclient;
        }

        var tls = material.Tls(view);
        return new()
        {
            HostName = view.Get(Options.BannerHostname) ?? material.Hostname,
            Banner = view.Get(Options.StaticBanner),
            Extensions = extensions,
            AuthMechanisms = mechanisms,
            AllowPlaintextAuth = isLoopback || IsOn(plain, "allow_plaintext") || IsOn(login, "allow_plaintext"),
            Tls = tls,
            ImplicitTls = view.Get(Options.UseSsl) && tls is not null,
            StartTlsInjection = view.Get(Options.StarttlsInjectionPolicy) == Configuration.StartTlsInjectionPolicy.Ignore ? Smtp.StartTlsInjectionPolicy.Ignore : Smtp.StartTlsInjectionPolicy.Reject,
            IdleTimeout = view.Get(Options.IdleTime),
            MaxMessageSize = view.Get(Options.MaxMessageSize),
            MaxRecipientsPerMessage = view.Get(Options.MaxRecipientsPerMessage),
            MaxRecipientsPerConnection = view.Get(Options.MaxRecipientsPerConnection),
            MaxReceptionsPerConnection = view.Get(Options.MaxReceptionsPerConnection),
            RequireEhlo = view.Get(Options.RequireEhlo),
            AllowIpLiteral = view.Get(Options.AllowIpLiteral),
            AllowNullSender = view.Get(Options.AllowNullEnvelopeSender),
            AllowUnqualifiedSender = view.Get(Options.DomainForUnqualifiedSenderAddress) is not null,
            AllowUnqualifiedRecipient = view.Get(Options.DomainForUnqualifiedRecipientAddresses) is not null,
            AllowWhitespaceInEnvelope = view.Get(Options.Rfc2821AllowWhitespaceInEnvelope),
            PedanticAddresses = view.Get(Options.Rfc2821PedanticAddressRules),
        };
    }

    private static (int Break, int Refuse) LineRule(OptionView view)
    {
        var rule = view.Get(Options.Rfc2822MaxLineLength);
        return (rule.Mode, view.Get(Options.Rfc2822MaxLineLengthPolicy)) switch
        {
            (LineLengthMode.Pedantic, _) or (LineLengthMode.Limit, LineLengthPolicy.Reject) => (0, rule.Octets),
            (LineLengthMode.Fix, _) or (LineLengthMode.Limit, LineLengthPolicy.Fix) => (rule.Octets, 0),
            _ => (0, 0),
        };
    }

    private static AuthMechanisms Mechanisms(string names)
    {
        var mechanisms = AuthMechanisms.None;
        foreach (var name in names.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            mechanisms |= name.ToUpperInvariant() switch
            {
                "PLAIN" => AuthMechanisms.Plain,
                "LOGIN" => AuthMechanisms.Login,
                "SCRAM-SHA-256" => AuthMechanisms.ScramSha256,
                _ => AuthMechanisms.None,
            };
        }

        return mechanisms;
    }

    /// <summary>Headers that some binding rule asks for.</summary>
    private static string[] WantedHeaders(ConfigurationSnapshot configuration) =>
        [.. configuration.Root.Children.Where(scope => scope.Kind == ScopeKinds.BindingRule).SelectMany(scope => scope.Get(Options.RuleHeader).Keys).Distinct(StringComparer.OrdinalIgnoreCase)];

    private static SmtpReply Reconfigured(string message)
    {
        ReadOnlySpan<byte> text = Encoding.UTF8.GetBytes(message);
        return EnhancedStatus.TryTake(ref text, out var status)
            ? SmtpReply.FromText(421, status, Encoding.UTF8.GetString(text))
            : SmtpReply.FromText(421, new(4, 3, 2), message);
    }

    private static bool IsOn(ValueDictionary values, string key) => values.Text(key)?.ToLowerInvariant() is "true" or "on" or "yes" or "1" or "enabled";

    private static string Fingerprint(OptionView view, string hostname)
    {
        var text = new StringBuilder(hostname);
        foreach (var option in SessionOptions)
        {
            if (view.ResolveAny(option) is { Raw: { } raw })
                text.Append('\n').Append(option.Name).Append('=').Append(raw);
        }

        return text.ToString();
    }
}
