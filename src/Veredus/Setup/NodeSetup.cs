using System.Net;
using System.Reflection;
using Veredus.Cluster;
using Veredus.CommandLine;

namespace Veredus.Setup;

/// <summary>What one machine becomes, and the files that make it so.</summary>
/// <param name="Directory">Of the configuration; <see cref="DefaultDirectory"/> on a host.</param>
internal sealed record NodeSetup(
    string Directory, string Cluster, string Node, string Address, IReadOnlyList<JoinTopology> Topology, IReadOnlyList<BusPeer> Peers, int Port, string Timing,
    ClusterIdentity Identity, byte[] BusKey, ClusterAuthority? Authority)
{
    public const string DefaultDirectory = "/etc/veredus";
    private const string Group = "veredus";

    private bool IsInPlace => Directory == DefaultDirectory;

    public ClusterFiles Files => FilesOf(Directory);

    public static ClusterFiles FilesOf(string directory) => new(Path.Combine(directory, "cluster"));

    /// <summary>Before anything is asked: is there room for this?</summary>
    /// <exception cref="CliException">Something here belongs to somebody else.</exception>
    public static void CheckFree(string directory)
    {
        var (cluster, peers, files) = (Path.Combine(directory, ClusterText.ClusterFile), Path.Combine(directory, ClusterText.PeersFile), FilesOf(directory));
        if (File.Exists(files.Identity))
            throw new CliException(ExitCodes.Conflict, $"This host is a member of a cluster already ({files.Identity}); nothing was written.", "Leave it first: veredus node leave");
        foreach (var path in (string[])[cluster, peers])
            if (File.Exists(path) && !ClusterText.IsOurCluster(path) && !(path == peers && ClusterText.IsOurPeers(path)))
                throw new CliException(ExitCodes.Conflict, $"{path} was not made by setup; nothing was written.", "Move it away, or do by hand what docs/cluster.md says.");
        if (!BusPlan.IsOurs(files.BusConfiguration))
            throw new CliException(ExitCodes.Conflict, $"{files.BusConfiguration} was not made by this program; nothing was written.");
        if (File.Exists(files.Authority))
            throw new CliException(ExitCodes.Conflict, $"{files.Authority} is the authority of another cluster; nothing was written.", "Move it away if that cluster is no more.");
    }

    public FileChanges Plan()
    {
        var (main, cluster, peers) = (Path.Combine(Directory, ClusterText.MainFile), Path.Combine(Directory, ClusterText.ClusterFile), Path.Combine(Directory, ClusterText.PeersFile));
        var changes = new FileChanges();
        var group = UnixGroup.Find(Group) is null ? null : Group;
        if (Authority is not null)
            changes.Add(Files.Authority, Authority.ExportPem(), FileChanges.Secret, "the cluster's own authority: makes members; keep a copy in a safe");
        changes.Add(Files.AuthorityCertificate, Identity.ExportAuthorityPem(), FileChanges.Open, "the authority's certificate");
        changes.Add(Files.Identity, Identity.ExportPem(), group is null ? FileChanges.Secret : FileChanges.Shared, $"certificate and key of {Node}", group);
        changes.Add(Files.BusKey, BusKey, FileChanges.Secret, "the bus' key");
        changes.Add(Files.BusConfiguration, BusText(Cluster, Peers, Files, Port, Timing), FileChanges.Open, $"corosync: {Peers.Count} peer{(Peers.Count == 1 ? "" : "s")}");
        changes.Add(peers, ClusterText.Peers(Peers, Port, Timing, Peers.Max(peer => peer.Id)), FileChanges.Open, string.Join(' ', Peers.Select(peer => peer.Name)));
        changes.Add(cluster, ClusterText.Cluster(Cluster, Node, Address.Split(',')[0], Topology, IsInPlace ? null : Files.Directory), FileChanges.Open, $"cluster {Cluster}, node {Node}");
        changes.Add(main, MainText(main), FileChanges.Open, $"with {ClusterText.Include}");
        if (IsInPlace && System.IO.Directory.Exists("/run/systemd/system"))
            changes.Add(ClusterText.DropInPath, ClusterText.DropIn, FileChanges.Open, "the unit veredus-node may add addresses");
        return changes;
    }

    public static string BusText(string cluster, IReadOnlyList<BusPeer> peers, ClusterFiles files, int port, string timing) =>
        new CorosyncConfiguration(cluster, peers, timing == "fast" ? BusTiming.Fast : BusTiming.Default, files.BusKey, BusPlan.StateDirectory(files), port, BusPlan.AccessGroup()).Render();

    private static string MainText(string path)
    {
        var text = File.Exists(path) ? File.ReadAllText(path) : Sample();
        if (text.Split('\n').Any(line => line.Trim() is var said && said.Contains("include", StringComparison.Ordinal) && said[0] != '#' && said.Contains(ClusterText.ClusterFile, StringComparison.Ordinal)))
            return text;
        return $"{text.TrimEnd('\n')}\n\n{ClusterText.Include}\n";
    }

    private static string Sample()
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("veredus.conf")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>"NETWORK/LENGTH INTERFACE", or "none".</summary>
    /// <returns>What is wrong; empty if nothing is.</returns>
    public static string CheckTopology(string text, out JoinTopology? topology)
    {
        topology = null;
        if (text is "none" or "")
            return "";
        if (text.Split((char[])[' ', '='], StringSplitOptions.RemoveEmptyEntries) is not [var network, var name] || !IPNetwork.TryParse(network, out _))
            return $"'{text}' is not \"NETWORK/LENGTH INTERFACE\", as in \"198.18.7.0/24 eth0\", or none";
        topology = new(network, name);
        return HostGuess.HasInterface(name) ? "" : $"this host has no interface {name}";
    }
}
