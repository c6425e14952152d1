using Veredus.Configuration;
using Veredus.Reception.Auth;
using Veredus.Reception.Content;
using Veredus.Smtp;

namespace Veredus.Reception.Policy;

/// <summary>Everything that the configuration says about one client on one listening socket, resolved. Immutable: sessions share it.</summary>
public sealed record InboundPolicy
{
    /// <summary>Name of the listening socket, as configured: where sessions are counted and what the acctlog shows.</summary>
    public required string Endpoint { get; init; }

    public required SmtpServerOptions Options { get; init; }

    public ContentRules Content { get; init; } = new();

    /// <summary>Refuse a message with a CR or LF alone in its headers.</summary>
    public bool RefuseLoneBreaksInHeaders { get; init; } = true;

    /// <summary>The same for its body.</summary>
    public bool RefuseLoneBreaksInBody { get; init; }

    /// <summary>Refuse a message with a line above this many octets (CR LF not counted); 0: no limit.</summary>
    public int RefuseLinesAbove { get; init; }

    /// <summary>Code of the reply to a mail loop.</summary>
    public int LoopCode { get; init; } = 554;

    public string Pathway { get; init; } = "default";

    public string PathwayGroup { get; init; } = "default";

    public string ReceivedHostname { get; init; } = "localhost";

    /// <summary>This host's name: right side of generated Message-IDs and home of the bare postmaster.</summary>
    public string Hostname { get; init; } = "localhost";

    /// <summary>0: no limit.</summary>
    public int ListenerSessions { get; init; }

    /// <summary>0: no limit.</summary>
    public int ServiceSessions { get; init; }

    /// <summary>Messages per time; <see langword="null"/>: unlimited.</summary>
    public RateGate? Throttle { get; init; }

    public CidrList RelayHosts { get; init; } = CidrList.Empty;

    public bool OpenRelay { get; init; }

    public DomainGlobList RelayDomains { get; init; } = DomainGlobList.Empty;

    public DomainGlobList BounceDomains { get; init; } = DomainGlobList.Empty;

    public DomainGlobList RelayForSendingDomains { get; init; } = DomainGlobList.Empty;

    public bool TlsVerifiedPeerCanRelay { get; init; }

    /// <summary>Completes senders without domain.</summary>
    public string? SenderDomain { get; init; }

    /// <summary>Completes recipients without domain.</summary>
    public string? RecipientDomain { get; init; }

    /// <summary>Variables of the <c>context</c> option.</summary>
    public IReadOnlyDictionary<string, string> Context { get; init; } = new Dictionary<string, string>();

    /// <summary>Clients that may not relay anyway have to authenticate.</summary>
    public bool RequireAuthentication { get; init; }

    public bool AlwaysAllow { get; init; }

    public bool AlwaysDeny { get; init; }

    /// <summary>Store of AUTH PLAIN; without one every attempt gets 454.</summary>
    public PasswordStore? PlainStore { get; init; }

    public PasswordStore? LoginStore { get; init; }

    public ScramStore? ScramStore { get; init; }

    /// <summary>Mechanisms whose attempts go to the acctlog.</summary>
    public AuthMechanisms AccountedMechanisms { get; init; }

    public string? AssignBinding { get; init; }

    public string? AssignBindingGroup { get; init; }

    /// <summary>The binding header is believed in every session, not only in those that may relay.</summary>
    public bool TrustBindingHeaderFromAny { get; init; }

    /// <summary>The reply when a session has to end because its settings changed.</summary>
    public SmtpReply Reconfigured { get; init; } = new(421, new(4, 3, 2), "Reconfiguration in progress");

    /// <summary>All settings that were resolved into this policy, as text: two policies with the same fingerprint treat a session the same.</summary>
    public string Fingerprint { get; init; } = "";
}
