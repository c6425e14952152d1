using System.Net;

namespace Veredus.Configuration;

/// <summary>One socket of a listener.</summary>
public sealed class ListenDefinition
{
    private readonly BoundedCache<IPAddress, OptionView> _clients;
    private readonly BoundedCache<ScopeNode[], OptionView> _chains;
    private readonly ScopeNode _listener;
    private readonly ScopeNode _listen;
    private readonly ScopeNode _root;
    private readonly PeerTable? _listenPeers;
    private readonly PeerTable? _listenerPeers;

    internal ListenDefinition(ScopeNode listener, ScopeNode listen, ScopeNode root)
    {
        (_listener, _listen, _root) = (listener, listen, root);
        Endpoint = ListenEndpoint.TryParse(listen.Instance, out var endpoint) ? endpoint : throw new ArgumentException($"'{listen.Instance}' is no endpoint.", nameof(listen));
        var capacity = root.Get(Options.MatchCacheSize);
        _clients = new(capacity, EqualityComparer<IPAddress>.Default);
        _chains = new(capacity, ChainComparer.Instance);
        (_listenPeers, _listenerPeers) = (PeerTable.Of(listen), PeerTable.Of(listener));
        Own = Build([]);
    }

    /// <summary><see cref="ScopeKinds.EsmtpListener"/> and so on.</summary>
    public ScopeKinds Listener => _listener.Kind;
    public ListenEndpoint Endpoint { get; }
    public ScopeId ScopeId => _listen.Id;
    /// <summary>The <c>listen</c> stanza itself.</summary>
    public ScopeNode Scope => _listen;
    /// <summary>False when this socket or its whole listener is switched off.</summary>
    public bool IsEnabled => _listener.Get(Options.Enable) && _listen.Get(Options.Enable);
    /// <summary>The options of the socket itself, without any peer stanza.</summary>
    public OptionView Own { get; }

    /// <summary>The options for a client (6.3). Null stands for a client on a Unix socket: it counts as loopback.</summary>
    public OptionView For(IPAddress? client)
    {
        var key = client ?? IPAddress.None;
        if (_clients.TryGet(key, out var view))
            return view;
        List<ScopeNode> listenPeers = [], listenerPeers = [];
        foreach (var address in client is null ? [IPAddress.Loopback, IPAddress.IPv6Loopback] : (IPAddress[])[client])
        {
            _listenPeers?.AddMatches(address, listenPeers);
            _listenerPeers?.AddMatches(address, listenerPeers);
        }
        return _clients.Add(key, listenPeers.Count + listenerPeers.Count == 0 ? Own : Build([.. listenPeers, _listen, .. listenerPeers, _listener]));
    }

    private OptionView Build(ScopeNode[] own)
    {
        if (own.Length == 0)
            own = [_listen, _listener];
        var name = own.Select(scope => scope.Find(Options.PathwayName)).OfType<Resolved<string?>>().FirstOrDefault()?.Value;
        var pathway = name is null ? null : _root.Walk().FirstOrDefault(n => n.Kind == ScopeKinds.Pathway && n.Instance == name);
        ScopeNode[] chain = [.. own, .. pathway is null ? Array.Empty<ScopeNode>() : [pathway], .. pathway?.Parent?.Kind == ScopeKinds.PathwayGroup ? [pathway.Parent] : Array.Empty<ScopeNode>(), _root];
        return _chains.TryGet(chain, out var known) ? known : _chains.Add(chain, new(ResolutionFamily.Inbound, chain));
    }

    public override string ToString() => $"{_listener.Name} {Endpoint}";
}
