using System.Net;
using Veredus.Cluster;

namespace Veredus.Lab;

/// <summary>What a lab cluster is made of.</summary>
public sealed record LabPlan
{
    /// <summary>Of corosync. A loaded machine must not look like a lost host, so cases that measure nothing take neither profile of the product.</summary>
    public BusTiming Timing { get; init; } = new(600, 20, null, 4);

    /// <summary>Virtual addresses of all nodes.</summary>
    public IReadOnlyList<IPAddress> Vips { get; init; } = Mixed(6, 2);

    /// <summary>Lines of <c>msgc_server { }</c>.</summary>
    public string Bus { get; init; } = "reconnect_interval = 1";

    /// <summary>Lines of <c>cluster { }</c>.</summary>
    public string Cluster { get; init; } = """
        heartbeats_per_sec = 4
        heartbeat_start_delay = 1
        duravip_lease = 3
        duravip_suspect_time = 1
        duravip_gather_timeout = 1
        duravip_drain_time = 20
        """;

    /// <summary>The first addresses of the lab's networks for virtual addresses.</summary>
    public static IReadOnlyList<IPAddress> Mixed(int ipv4, int ipv6) =>
    [
        .. Enumerable.Range(0, ipv4).Select(i => new IPAddress([198, 18, (byte)(8 + i / 250), (byte)(1 + i % 250)])),
        .. Enumerable.Range(1, ipv6).Select(i => IPAddress.Parse($"fd00:7::1:{i:x}")),
    ];
}

/// <summary>A node's configuration in one test; the usual one has every address on a listener of every node.</summary>
public sealed record NodePlan(int Host)
{
    public string Name { get; init; } = $"mta{Host}";

    /// <summary>Lines of the ESMTP listener for virtual addresses; <see langword="null"/>: all of the lab's.</summary>
    public string? Listens { get; init; }

    /// <summary>Behind everything else.</summary>
    public string More { get; init; } = "";

    public string Interface { get; init; } = "eth0";

    /// <summary>More lines of <c>cluster { }</c>; later ones win.</summary>
    public string Cluster { get; init; } = "";

    public static string Listen(IPAddress vip, string options = "enable_duravip = true") => $"  listen \"{new IPEndPoint(vip, 25)}\" {{ {options} }}\n";
}
