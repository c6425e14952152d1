using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.Configuration;

namespace Veredus.Setup;

/// <summary>The peers of the bus as this host's files have them, and how they change.</summary>
internal sealed class PeerList
{
    private readonly string _file;
    private readonly uint _highestId;

    public PeerList(ConfigurationSnapshot configuration)
    {
        Files = new(configuration.Get(ScopeKinds.Cluster, Options.ClusterDirectory));
        Cluster = configuration.Get(ScopeKinds.Cluster, Options.ClusterName);
        Port = configuration.Get(ScopeKinds.MsgcServer, Options.BusPort);
        Timing = configuration.Get(ScopeKinds.MsgcServer, Options.BusTiming).ToString().ToLowerInvariant();
        Peers = BusPlan.Read(configuration, Files, null).Peers;
        _file = configuration.Singleton(ScopeKinds.MsgcServer)!.Position.File;
        _highestId = Math.Max(ClusterText.HighestIdIn(_file), Peers.Max(peer => peer.Id));
    }

    public ClusterFiles Files { get; }

    public string Cluster { get; }

    public int Port { get; }

    public string Timing { get; }

    public IReadOnlyList<BusPeer> Peers { get; private set; }

    private uint HighestId => Math.Max(_highestId, Peers.Max(peer => peer.Id));

    /// <summary>Adds a peer, or finds that it is there already.</summary>
    /// <returns>What is wrong; empty if nothing is.</returns>
    public string Add(string name, string addresses)
    {
        if (Peers.FirstOrDefault(peer => peer.Name == name) is { } known)
            return string.Join(',', known.Addresses) == addresses ? "" : $"{name} is among the peers with {string.Join(',', known.Addresses)}, not {addresses}";
        var entries = Peers.Select(peer => KeyValuePair.Create(peer.Name, ClusterText.Entry(peer)))
            .Append(KeyValuePair.Create(name, $"{addresses} {HighestId + 1}"));
        var peers = BusPeer.ParseAll(entries, out var error);
        Peers = peers ?? Peers;
        return error;
    }

    public bool Remove(string name)
    {
        var count = Peers.Count;
        if (count > 1)
            Peers = [.. Peers.Where(peer => peer.Name != name)];
        return Peers.Count < count;
    }

    /// <summary>The files that follow.</summary>
    /// <exception cref="CliException">They were not made by this program.</exception>
    public FileChanges Plan()
    {
        if (!ClusterText.IsOurPeers(_file))
            throw new CliException(ExitCodes.Conflict, $"{_file} has the peers and was not made by setup; nothing was written.",
                $"Change it by hand, the same on all nodes, then 'veredus cluster render --write {Files.Directory}'. The list would be: {string.Join(' ', Peers.Select(peer => $"{peer.Name} = \"{ClusterText.Entry(peer)}\""))}");
        if (!BusPlan.IsOurs(Files.BusConfiguration))
            throw new CliException(ExitCodes.Conflict, $"{Files.BusConfiguration} was not made by this program; nothing was written.");
        var changes = new FileChanges();
        changes.Add(_file, ClusterText.Peers(Peers, Port, Timing, HighestId), FileChanges.Open, string.Join(' ', Peers.Select(peer => peer.Name)));
        changes.Add(Files.BusConfiguration, NodeSetup.BusText(Cluster, Peers, Files, Port, Timing), FileChanges.Open, $"corosync: {Peers.Count} peers");
        return changes;
    }
}
