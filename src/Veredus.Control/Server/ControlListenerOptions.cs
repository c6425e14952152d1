using System.Net.Security;
using Veredus.Reception.Auth;

namespace Veredus.Control;

/// <summary>How the sessions of one listening socket are treated; replaced as a whole at a reload, open sessions keep theirs.</summary>
public sealed record ControlListenerOptions
{
    /// <summary>The listener as configured: <c>*:2025</c>, a socket path. Stands in the acctlog.</summary>
    public required string Name { get; init; }

    /// <summary>Name in the greeting.</summary>
    public required string HostName { get; init; }

    /// <summary>Product version in the greeting.</summary>
    public required string Version { get; init; }

    /// <summary>Silence after which a session is closed (<c>timeout</c>); the same bound holds for a client that does not read.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>TCP sessions count as authenticated as <c>anonymous</c> (<c>always_allow</c>).</summary>
    public bool AlwaysAllow { get; init; }

    /// <summary>Authentication fails whatever is given, also on a Unix socket (<c>always_deny</c>).</summary>
    public bool AlwaysDeny { get; init; }

    /// <summary>STARTTLS is offered with this; <see langword="null"/> for none.</summary>
    public SslServerAuthenticationOptions? Tls { get; init; }

    /// <summary>SCRAM-SHA-256: the credential of a user, <see langword="null"/> for nobody. Null when there is no store.</summary>
    public Func<string, ScramCredential?>? Scram { get; init; }

    /// <summary>PLAIN: the stored password of a user. Null when there is no store. Offered only inside TLS or on loopback.</summary>
    public Func<string, StoredPassword?>? Plain { get; init; }

    /// <summary>Attempts over TCP are written to the acctlog (<c>log_authentication</c>); those over a Unix socket always are.</summary>
    public bool LogAuthentication { get; init; }

    /// <summary>Checks each command against roles (<c>enable_authorization</c>); <see langword="null"/> for no check.</summary>
    public ControlAuthorization? Authorization { get; init; }

    /// <summary>What differs for one client (<c>peer</c> blocks); null for a client on a Unix socket, which counts as loopback.</summary>
    public Func<System.Net.IPAddress?, ControlListenerOptions>? ForClient { get; init; }
}
