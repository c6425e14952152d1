using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.Control;

namespace Veredus.Setup;

/// <summary>The bus of a manager that is alone on its host; one beside a node uses the node's.</summary>
internal sealed record ManagerBus(string Cluster, IReadOnlyList<BusPeer> Peers, int Port, string Timing, byte[] Key);

/// <summary>A manager on one machine, and the files that make it one.</summary>
/// <param name="Directory">Of the configuration; <see cref="NodeSetup.DefaultDirectory"/> on a host.</param>
/// <param name="Name">Of the manager, which no node has.</param>
/// <param name="Gather">Directory for the nodes' logs; <see langword="null"/>: none are gathered.</param>
/// <param name="Bus"><see langword="null"/>: there is a node here.</param>
internal sealed record ManagerSetup(string Directory, string Name, string? Gather, ClusterIdentity Identity, ManagerBus? Bus)
{
    public const string MainFile = "eccluster.conf", Unit = "veredus-manager";
    private const string Header = "# Written by \"veredus setup manager\"; yours to edit.";

    /// <summary>Certificate and authority: beside a node in a directory of their own, because the node's have another name in them.</summary>
    public ClusterFiles Files => Bus is null ? BesideFiles(Directory) : NodeSetup.FilesOf(Directory);

    public bool IsInPlace => Directory == NodeSetup.DefaultDirectory;

    public string Socket => IsInPlace ? ControlEndpoint.ManagerPath : Path.Combine(Directory, "manager.sock");

    public string Main => Path.Combine(Directory, MainFile);

    /// <summary>Whether a node of a cluster was set up here.</summary>
    public static bool IsBesideNode(string directory) => File.Exists(NodeSetup.FilesOf(directory).Identity);

    /// <summary>Before anything is asked: is there room for this?</summary>
    /// <exception cref="CliException">There is a manager, or something here belongs to somebody else.</exception>
    public static void CheckFree(string directory)
    {
        var (main, peers) = (Path.Combine(directory, MainFile), Path.Combine(directory, ClusterText.PeersFile));
        if (File.Exists(main) && File.ReadLines(main).FirstOrDefault() == Header)
            throw new CliException(ExitCodes.Conflict, $"A manager was set up here already ({main}); nothing was written.", "It is yours to edit. To set it up anew, remove that file.");
        if (File.Exists(main))
            throw new CliException(ExitCodes.Conflict, $"{main} was not made by setup; nothing was written.", "Move it away, or do by hand what docs/manager.md says.");
        if (IsBesideNode(directory))
            return;
        var files = NodeSetup.FilesOf(directory);
        if (!ClusterText.IsOurPeers(peers) || !BusPlan.IsOurs(files.BusConfiguration))
            throw new CliException(ExitCodes.Conflict, $"{(ClusterText.IsOurPeers(peers) ? files.BusConfiguration : peers)} was not made by setup; nothing was written.", "Move it away, or do by hand what docs/manager.md says.");
    }

    public FileChanges Plan()
    {
        var changes = new FileChanges();
        var group = UnixGroup.Find("veredus") is null ? null : "veredus";
        changes.Add(Files.AuthorityCertificate, Identity.ExportAuthorityPem(), FileChanges.Open, "the authority's certificate");
        changes.Add(Files.Identity, Identity.ExportPem(), group is null ? FileChanges.Secret : FileChanges.Shared, $"certificate and key of {Name}", group);
        if (Bus is { } bus)
        {
            changes.Add(Files.BusKey, bus.Key, FileChanges.Secret, "the bus' key");
            changes.Add(Files.BusConfiguration, NodeSetup.BusText(bus.Cluster, bus.Peers, Files, bus.Port, bus.Timing), FileChanges.Open, $"corosync: {bus.Peers.Count} peers");
            changes.Add(Path.Combine(Directory, ClusterText.PeersFile), ClusterText.Peers(bus.Peers, bus.Port, bus.Timing, bus.Peers.Max(peer => peer.Id)), FileChanges.Open,
                string.Join(' ', bus.Peers.Select(peer => peer.Name)));
        }
        changes.Add(Main, Text(), FileChanges.Open, $"manager {Name}{(Gather is null ? "" : $", gathers logs in {Gather}")}");
        return changes;
    }

    private string Text()
    {
        var (logs, state) = IsInPlace ? ("/var/log/veredus", "/var/lib/veredus/manager") : (Directory, Directory);
        return $$"""
            {{Header}}
            include "{{ClusterText.PeersFile}}"
            cluster {
              nodename = "{{Name}}"
            {{(Bus is null ? "" : $"  cluster_name = \"{Bus.Cluster}\"\n")}}  cluster_directory = "{{Files.Directory}}"
            }
            control_listener { listen "{{Socket}}" { } }
            ec_logger {
              mainlog = "{{logs}}/manager-mainlog.ec"
              rejectlog = "{{logs}}/manager-rejectlog.ec"
              paniclog = "{{logs}}/manager-paniclog.ec"
              acctlog = "{{logs}}/manager-acctlog.ec"
              heartbeat = 0
            }
            logs {
              control_cache = "{{state}}/control_cache"
            {{(Gather is null ? "" : $"  logfile = \"{Gather}/%Y/%m/%d/%{{l}}/%{{s}}/%{{n}}\"\n")}}}
            {{(IsInPlace ? "" : $"pidfile = \"{Directory}/manager.pid\"\n")}}
            """.TrimEnd() + "\n";
    }

    private static ClusterFiles BesideFiles(string directory) => new(Path.Combine(directory, "manager"));
}
