using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Net;
using Veredus.Configuration;
using Veredus.Delivery;
using Veredus.Reception;
using Veredus.Reception.Bindings;
using Veredus.Reception.Policy;

namespace Veredus.Node.Settings;

/// <summary>One configuration, ready for reception: the snapshot with what was loaded for it. Immutable but for caches; safe from any thread.</summary>
internal sealed class NodeSettings : IBindingState
{
    private readonly FrozenDictionary<string, ListenDefinition> _listens;
    private readonly ConcurrentDictionary<(string Endpoint, OptionView View, bool IsLoopback), InboundPolicy> _policies = new();
    private readonly IBindingPresence _presence;
    private readonly bool _suspendsDefault;
    private readonly Lazy<ILookup<IPAddress, ListenDefinition>> _byAddress;

    public NodeSettings(ConfigurationSnapshot configuration, LoadedFiles files, IBindingPresence presence)
    {
        (Configuration, Files, _presence) = (configuration, files, presence);
        _listens = configuration.Listens.Where(listen => listen.Listener == ScopeKinds.EsmtpListener)
            .ToFrozenDictionary(listen => listen.Endpoint.ToString(), StringComparer.Ordinal);
        _byAddress = new(() => SmtpListens.Where(listen => listen.Endpoint.Address is not null).ToLookup(listen => listen.Endpoint.Address!));
        _suspendsDefault = configuration.Global.Get(Options.DefaultBinding) == DefaultBindingMode.Suspended;
        Rules = new(configuration, this)
        {
            IsBlackholed = domain => configuration.Sending(BindingName.DefaultName, BindingName.DefaultName, domain).Get(Options.Blackhole) == BlackholeMode.Inline,
            MemoryHighWaterPercent = configuration.Global.Get(Options.MemoryHwm),
            BounceRefusedRecipients = configuration.Global.Get(Options.GenerateBouncesForMultiRecipientPolicyRejections),
        };
    }

    public ConfigurationSnapshot Configuration { get; }

    public LoadedFiles Files { get; }

    public ReceptionRules Rules { get; }

    /// <summary>The SMTP sockets that are switched on.</summary>
    public IEnumerable<ListenDefinition> SmtpListens => _listens.Values.Where(listen => listen.IsEnabled);

    /// <summary>Those on one address; found at once, because a takeover asks for a thousand.</summary>
    public IEnumerable<ListenDefinition> SmtpListensOn(IPAddress address) => _byAddress.Value[address];

    /// <summary>Resolves every place where a policy can be set, so that trouble with files shows before the configuration is used.</summary>
    public void LoadAll()
    {
        foreach (var listen in SmtpListens)
        {
            Policy(listen, null);
            foreach (var peer in listen.Scope.Children.Concat(listen.Scope.Parent?.Children ?? []).Where(scope => scope.Kind == ScopeKinds.Peer))
            {
                if (CidrList.TryParseNetwork(peer.Instance, out var network))
                    Policy(listen, network.BaseAddress);
            }
        }
    }

    /// <param name="client"><see langword="null"/>: a client on a Unix socket.</param>
    public InboundPolicy? Policy(string endpoint, IPAddress? client) => _listens.TryGetValue(endpoint, out var listen) ? Policy(listen, client) : null;

    public bool IsSuspended(BindingName binding, string recipientDomain)
    {
        if (_suspendsDefault && binding == BindingName.Default)
            return true;
        var view = Configuration.Sending(binding.Group, binding.Binding, recipientDomain);
        if (view.Get(Options.Gateway) is { } gateway)
            view = Configuration.Sending(binding.Group, binding.Binding, gateway);
        return view.Get(Options.SuspendDelivery);
    }

    public bool IsLocal(BindingName binding) => _presence.IsHere(binding.Group, binding.Binding);

    private InboundPolicy Policy(ListenDefinition listen, IPAddress? client)
    {
        var key = (listen.Endpoint.ToString(), listen.For(client), client is null || IPAddress.IsLoopback(client));
        return _policies.TryGetValue(key, out var known) ? known
            : _policies.GetOrAdd(key, InboundPolicyReader.Read(Configuration, key.Item1, key.Item2, key.Item3, Files));
    }
}
