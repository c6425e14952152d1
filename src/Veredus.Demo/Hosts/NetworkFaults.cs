using System.Globalization;
using System.Text;

namespace Veredus.Demo;

/// <summary>What is wrong with one host's cable.</summary>
/// <param name="IsUnplugged">No carrier at either end.</param>
/// <param name="LosesOutgoing">Percent of the frames from the host that vanish; 100 = a cut in this direction.</param>
/// <param name="LosesIncoming">Percent of the frames to the host that vanish.</param>
/// <param name="KilobitsPerSecond">Limit in both directions; 0 = none.</param>
/// <param name="DelayMs">Each frame takes so much longer in both directions; needs a kernel with netem.</param>
internal readonly record struct CableState(bool IsUnplugged = false, int LosesOutgoing = 0, int LosesIncoming = 0, int KilobitsPerSecond = 0, int DelayMs = 0)
{
    public bool IsWhole => this == default;
}

/// <summary>Cuts, bends and mends the cables between the hosts and the bridge.</summary>
internal sealed class NetworkFaults(IReadOnlyList<DemoHost> hosts)
{
    private const string Table = "veredus_demo";

    private readonly Dictionary<int, CableState> _cables = hosts.ToDictionary(host => host.Number, _ => default(CableState));
    private readonly HashSet<(int From, int To)> _pairs = [];

    /// <summary>Loss, and cuts of one direction, are rules of nftables on the bridge.</summary>
    public static bool CanLose => Tool.Find("nft") is not null;

    /// <summary>Whether this kernel can delay frames (netem) in a network namespace. To be asked inside the demo.</summary>
    public static async Task<bool> CanDelayAsync(CancellationToken cancellationToken)
    {
        if (Tool.Find("tc") is null || (await Tool.TryAsync(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"], cancellationToken)).ExitCode != 0)
            return false;
        await Tool.RunAsync("tc qdisc del dev lo root", cancellationToken);
        return true;
    }

    public CableState this[DemoHost host] => _cables[host.Number];

    /// <summary>Whether nothing gets through to the host, or nothing from it.</summary>
    public bool IsCut(DemoHost host) => _cables[host.Number] is { IsUnplugged: true } or { LosesOutgoing: 100 } or { LosesIncoming: 100 };

    /// <summary>Puts a cable into a state.</summary>
    public async Task SetAsync(DemoHost host, CableState state, CancellationToken cancellationToken)
    {
        var before = _cables[host.Number];
        _cables[host.Number] = state;
        if (before.IsUnplugged != state.IsUnplugged)
            await Tool.RunAsync($"ip link set {DemoNetwork.Port(host.Number)} {(state.IsUnplugged ? "down" : "up")}", cancellationToken);
        if ((before.LosesIncoming, before.LosesOutgoing) != (state.LosesIncoming, state.LosesOutgoing))
            await ApplyRulesAsync(cancellationToken);
        if ((before.KilobitsPerSecond, before.DelayMs) != (state.KilobitsPerSecond, state.DelayMs))
            await ShapeAsync(host, state, cancellationToken);
    }

    /// <summary>Two hosts no longer hear each other, in both directions; both are reached by everybody else.</summary>
    public Task CutPairAsync(DemoHost one, DemoHost other, CancellationToken cancellationToken)
    {
        _pairs.Add((one.Number, other.Number));
        _pairs.Add((other.Number, one.Number));
        return ApplyRulesAsync(cancellationToken);
    }

    /// <summary>Mends a pair that <see cref="CutPairAsync"/> cut.</summary>
    public Task HealPairAsync(DemoHost one, DemoHost other, CancellationToken cancellationToken)
    {
        _pairs.Remove((one.Number, other.Number));
        _pairs.Remove((other.Number, one.Number));
        return ApplyRulesAsync(cancellationToken);
    }

    /// <summary>Mends everything.</summary>
    public async Task HealAllAsync(CancellationToken cancellationToken)
    {
        foreach (var host in hosts.Where(host => !_cables[host.Number].IsWhole))
            await SetAsync(host, default, cancellationToken);
        if (_pairs.Count > 0)
        {
            _pairs.Clear();
            await ApplyRulesAsync(cancellationToken);
        }
    }

    private async Task ApplyRulesAsync(CancellationToken cancellationToken)
    {
        var (exitCode, words) = await Tool.TryAsync(["nft", "-f", "-"], cancellationToken, Rules());
        if (exitCode != 0)
            throw new IOException($"nft: {words}");
    }

    /// <summary>The whole table anew, in one transaction: frames that pass between two ports, that come to the client, that the client sends.</summary>
    private string Rules()
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"add table bridge {Table}\ndelete table bridge {Table}\ntable bridge {Table} {{\n");
        foreach (var hook in new[] { "forward", "input", "output" })
        {
            text.Append(CultureInfo.InvariantCulture, $"  chain {hook} {{\n    type filter hook {hook} priority 0;\n");
            foreach (var (number, cable) in _cables)
            {
                if (hook != "output" && cable.LosesOutgoing > 0)
                    text.Append(CultureInfo.InvariantCulture, $"    iifname \"{DemoNetwork.Port(number)}\" {Chance(cable.LosesOutgoing)}drop\n");
                if (hook != "input" && cable.LosesIncoming > 0)
                    text.Append(CultureInfo.InvariantCulture, $"    oifname \"{DemoNetwork.Port(number)}\" {Chance(cable.LosesIncoming)}drop\n");
            }
            foreach (var (from, to) in hook == "forward" ? _pairs : [])
                text.Append(CultureInfo.InvariantCulture, $"    iifname \"{DemoNetwork.Port(from)}\" oifname \"{DemoNetwork.Port(to)}\" drop\n");
            text.Append("  }\n");
        }
        return text.Append("}\n").ToString();
    }

    private static string Chance(int percent) => percent >= 100 ? "" : string.Create(CultureInfo.InvariantCulture, $"numgen random mod 100 < {percent} ");

    /// <summary>One queueing discipline at each end of the cable: netem where a delay is wanted, else a token bucket.</summary>
    private static async Task ShapeAsync(DemoHost host, CableState state, CancellationToken cancellationToken)
    {
        foreach (var (inside, device) in new[] { ("", $"dev {DemoNetwork.Port(host.Number)}"), ($"-n {host.Name} ", "dev eth0") })
        {
            if (state is { KilobitsPerSecond: 0, DelayMs: 0 })
                await Tool.RunAsync($"tc {inside}qdisc del {device} root", cancellationToken);
            else if (state.DelayMs > 0)
                await Tool.RunAsync(string.Create(CultureInfo.InvariantCulture, $"tc {inside}qdisc replace {device} root netem delay {state.DelayMs}ms"), cancellationToken);
            else
                await Tool.RunAsync(string.Create(CultureInfo.InvariantCulture, $"tc {inside}qdisc replace {device} root tbf rate {state.KilobitsPerSecond}kbit burst 32k latency 200ms"), cancellationToken);
        }
    }
}
