using System.Globalization;
using System.Net;

namespace Veredus.Demo;

/// <summary>What a story changes in the configuration of one node, to contradict the others.</summary>
/// <param name="Listens">Further text behind an address's listener, e.g. a preference.</param>
/// <param name="Further">Further text at the end, e.g. bindings.</param>
/// <param name="Without">Addresses that this node does not listen on.</param>
internal sealed record NodeOverrides(IReadOnlyDictionary<IPAddress, string> Listens, string Further, IReadOnlySet<IPAddress> Without)
{
    public static NodeOverrides None { get; } = new(new Dictionary<IPAddress, string>(), "", new HashSet<IPAddress>());
}

/// <summary>Writes the configuration of the demo's nodes: the same for all but the name, the own address and the directory.</summary>
internal static class NodeSettings
{
    /// <summary>A reader of the journals that never acknowledges anything: they keep every record.</summary>
    public const string Keeper = "keeper";

    /// <param name="readers">Who reads the node's journals, the managers among them; none: no journals are written.</param>
    public static string Render(
        DemoHost host, IReadOnlyList<DemoHost> all, IReadOnlyList<string> readers, IReadOnlyList<IPAddress> addresses, DemoOptions options, NodeOverrides overrides) =>
        string.Create(CultureInfo.InvariantCulture, $$"""
        # {{host.Name}} of the demo. Mail to a.demo and b.demo goes to the demo's two receiving servers, and nowhere else;
        # that to b.demo leaves from the virtual address of the binding "news", wherever it is.
        hostname = "{{host.Name}}.demo"
        spoolbase = "{{host.Directory}}/spool"
        pidfile = "{{host.Directory}}/veredus.pid"
        ec_logger {
          mainlog = "{{host.Directory}}/mainlog.ec"
          rejectlog = "{{host.Directory}}/rejectlog.ec"
          paniclog = "{{host.Directory}}/paniclog.ec"
          acctlog = "{{host.Directory}}/acctlog.ec"
        }
        {{Journals(host, readers)}}
        bounce_logger { bouncelog = "{{host.Directory}}/bouncelog.ec" }
        esmtp_listener {
          relay_hosts = ( {{DemoNetwork.Cidr}} )
          listen "{{host.Address}}:25" { }
        {{string.Concat(addresses.Where(address => !overrides.Without.Contains(address)).Select(address =>
            $"  listen \"{address}:25\" {{ enable_duravip = true {overrides.Listens.GetValueOrDefault(address, "")}}}\n"))}}
        }
        # Mail that came in on another node than the one that has its binding's address is handed to that one.
        eccluster_listener { listen "{{host.Address}}:4802" { } }
        binding "news" { bind_address = "{{addresses[^1]}}"  enable_duravip = true }
        binding_rule "news" { order = 1  recipient_domain = ( "b.demo" )  binding = "news" }
        control_listener { listen "{{host.ControlSocket}}" { } }
        domain "a.demo" { gateway = "[{{DemoNetwork.SinkA}}]" }
        domain "b.demo" { gateway = "[{{DemoNetwork.SinkB}}]" }
        retry_interval = 3
        max_retry_interval = 3
        msgc_server { peers = [ {{string.Join(' ', all.Select(peer => $"{peer.Name} = \"{peer.Address}\""))}} ] }
        cluster {
          nodename = "{{host.Name}}"
          cluster_directory = "{{host.Directory}}/cluster"
          {{(readers.Count == 0 ? "" : $"logs = [ mainlog = \"{host.MainlogJournal}\" ]  log_idle_interval = 1")}}
          view_mature_time = 2
          view_balance_interval = 2
          duravip_balance_set_size = 12
          heartbeats_per_sec = 4
          heartbeat_start_delay = 2
          duravip_lease = 3
          duravip_suspect_time = 2
          duravip_drain_time = 2
          duravip_partition_policy = "{{options.PartitionPolicy}}"
          duravip_claim_guard = {{(options.ClaimGuard ? "true" : "false")}}
          topology "{{DemoNetwork.Cidr}}" { interface = "eth0" }
        }
        {{overrides.Further}}
        """) + "\n";

    private static string Journals(DemoHost host, IReadOnlyList<string> readers) => readers.Count == 0 ? ""
        : $"ec_logger \"cluster\" {{ heartbeat = 0 {string.Concat(((string[])["mainlog", "rejectlog", "paniclog", "acctlog"]).Select(log =>
            $" {log} = \"cluster://{host.Directory}/{log}.cluster?subscribers={string.Join(',', readers)}\""))} }}";
}
