using static Veredus.Configuration.ScopeKinds;

namespace Veredus.Configuration;

/// <summary>
/// The option table: every option of the configuration, its scopes, type, default and bounds, and at the same time the
/// typed keys for code (<c>snapshot.Sending(...).Get(Options.RetryInterval)</c>). <c>docs/options.md</c> is made from it.
/// The rows stand in <c>Options.*.cs</c>, in the order of configuration.md section 13.
/// </summary>
/// <remarks>Durations are <see cref="TimeSpan"/>, sizes <see cref="long"/> octets, "not set" of a text is null.</remarks>
public static partial class Options
{
    // Scope letters of configuration.md section 13.
    private const ScopeKinds G = Global;
    private const ScopeKinds BG = BindingGroup;
    private const ScopeKinds B = Binding;
    private const ScopeKinds D = Domain;
    private const ScopeKinds H = Host;
    private const ScopeKinds SND = Sending;
    private const ScopeKinds E = EsmtpListener;
    private const ScopeKinds C = ControlListener;
    private const ScopeKinds W = HttpListener;
    private const ScopeKinds X = EcClusterListener | MsgcListener;
    private const ScopeKinds L = Listen;
    private const ScopeKinds P = Peer;
    private const ScopeKinds PW = Pathway;
    private const ScopeKinds PG = PathwayGroup;
    private const ScopeKinds IN = Inbound;
    private const ScopeKinds ANY = G | SND | H | E | C | W | X | IN;

    private const OptionStatus Active = OptionStatus.Active;
    private const OptionStatus NotYet = OptionStatus.NotYet;
    private const OptionStatus InCluster = OptionStatus.ClusterNotYet;
}
