using System.Net;
using Veredus.Network;

namespace Veredus.Demo;

/// <summary>
/// The cable side of the demo: one bridge in the demo's own network namespace, a host of its own for every node. The demo itself is the client
/// on this network: sender, receivers and probe have addresses on the bridge. No route leads out.
/// </summary>
internal static class DemoNetwork
{
    public const string Bridge = "br0";

    private static readonly byte[] Network = [198, 18, 7];

    public static IPAddress Client { get; } = Address(200);

    public static IPAddress SinkA { get; } = Address(201);

    public static IPAddress SinkB { get; } = Address(202);

    public static string Cidr => "198.18.7.0/24";

    public static MacAddress ClientMac { get; } = Mac(200);

    /// <summary>Own address of host <paramref name="number"/>, counted from 1.</summary>
    public static IPAddress Host(int number) => Address(number);

    /// <summary>The hosts' network cards are numbered like their addresses.</summary>
    public static MacAddress Mac(int number) => MacAddress.FromBytes([0x02, 0, 0, 0, 7, (byte)number]);

    /// <summary>Virtual addresses: 198.18.7.10 and on.</summary>
    public static IReadOnlyList<IPAddress> Virtual(int count) => [.. Enumerable.Range(10, count).Select(Address)];

    private static IPAddress Address(int number) => new([.. Network, (byte)number]);

    /// <summary>Makes the bridge, with the client's addresses on it.</summary>
    public static async Task CreateAsync(CancellationToken cancellationToken)
    {
        await Tool.RunAsync($"ip link add {Bridge} address {ClientMac} type bridge", cancellationToken);
        await Tool.RunAsync($"ip link set {Bridge} up", cancellationToken);
        foreach (var address in new[] { Client, SinkA, SinkB })
            await Tool.RunAsync($"ip addr add {address}/24 dev {Bridge}", cancellationToken);
    }

    /// <summary>Makes a host with the card <c>eth0</c> on the bridge, and its own address.</summary>
    public static async Task<NetworkNamespace> AddHostAsync(string name, int number, CancellationToken cancellationToken)
    {
        var host = await NetworkNamespace.CreateAsync(name, cancellationToken);
        await Tool.RunAsync($"ip link add {Port(number)} type veth peer name eth0 address {Mac(number)} netns {name}", cancellationToken);
        await Tool.RunAsync($"ip link set {Port(number)} master {Bridge} up", cancellationToken);
        await host.RunIpAsync("link set eth0 up", cancellationToken);
        await host.RunIpAsync($"addr add {Host(number)}/24 dev eth0", cancellationToken);
        return host;
    }

    /// <summary>The bridge's end of a host's cable.</summary>
    public static string Port(int number) => $"port{number}";
}
