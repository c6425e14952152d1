using System.Text;
using Veredus.Cluster;

namespace Veredus.Setup;

/// <summary>The configuration files that setup writes.</summary>
internal static class ClusterText
{
    public const string MainFile = "veredus.conf", ClusterFile = "ecelerity-cluster.conf", PeersFile = "msgc_server.conf";
    public const string Include = $"include \"{ClusterFile}\"";
    private const string PeersHeader = "# Written by \"veredus setup\" and \"veredus cluster add|remove\"; the same on all nodes.";
    private const string ClusterHeader = "# Written by \"veredus setup node\"; yours to edit.";

    private const string HighestId = "# Highest id given: ";

    /// <param name="highestId">An id is never given twice, not even that of a peer that was removed.</param>
    public static string Peers(IEnumerable<BusPeer> peers, int port, string timing, uint highestId)
    {
        var text = new StringBuilder($"{PeersHeader}\n{HighestId}{highestId}\nmsgc_server {{\n  port = {port}\n  timing = {timing}\n  peers = [\n");
        foreach (var peer in peers)
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"    {peer.Name} = \"{Entry(peer)}\"\n");
        return text.Append("  ]\n}\n").ToString();
    }

    /// <summary>From a file that <see cref="Peers"/> made; 0 where it does not say.</summary>
    public static uint HighestIdIn(string path) => File.Exists(path)
        && File.ReadLines(path).FirstOrDefault(line => line.StartsWith(HighestId, StringComparison.Ordinal)) is { } line
        && uint.TryParse(line.AsSpan(HighestId.Length), System.Globalization.NumberStyles.None, null, out var id) ? id : 0;

    /// <summary>An entry's value: the id stands with it, so that it stays when the list changes.</summary>
    public static string Entry(BusPeer peer) => $"{string.Join(',', peer.Addresses)} {peer.Id}";

    public static bool IsOurPeers(string path) => !File.Exists(path) || File.ReadLines(path).FirstOrDefault() == PeersHeader;

    public static bool IsOurCluster(string path) => File.Exists(path) && File.ReadLines(path).FirstOrDefault() == ClusterHeader;

    public static string Cluster(string cluster, string node, string address, IEnumerable<JoinTopology> topology, string? directory)
    {
        var text = new StringBuilder($"{ClusterHeader}\ninclude \"{PeersFile}\"\ncluster {{\n  cluster_name = \"{cluster}\"\n  nodename = \"{node}\"\n  nodeaddr = \"{address}\"\n");
        if (directory is not null)
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"  cluster_directory = \"{directory}\"\n");
        text.Append("  # Where virtual addresses go. An address gets one: listen \"198.18.7.101:25\" { enable_duravip = true }\n");
        foreach (var block in topology)
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"  topology \"{block.Network}\" {{ interface = \"{block.Interface}\" }}\n");
        return text.Append("}\n").ToString();
    }

    /// <summary>What the unit veredus-node needs beyond a node that is alone: the guard's rights, and the bus before it.</summary>
    public const string DropIn = """
        # Written by "veredus setup node".
        [Unit]
        Wants=veredus-bus.service
        After=veredus-bus.service

        [Service]
        # For vipd, which alone adds and removes addresses.
        AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW
        CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW
        RestrictAddressFamilies=AF_PACKET
        LimitMEMLOCK=infinity

        """;

    public const string DropInPath = "/etc/systemd/system/veredus-node.service.d/cluster.conf";
}
