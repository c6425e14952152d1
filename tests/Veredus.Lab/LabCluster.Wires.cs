using System.Diagnostics;

namespace Veredus.Lab;

/// <summary>What happens to cables and switches.</summary>
public sealed partial class LabCluster
{
    /// <summary>The switch no longer passes anything from one host to another, on both segments; the client still reaches both.</summary>
    public async Task CutAsync(int from, int to)
    {
        foreach (var segment in (string[])["mail", "bus"])
            await DropAsync(segment + from, segment + to);
    }

    public async Task CutBothWaysAsync(int one, int other)
    {
        await CutAsync(one, other);
        await CutAsync(other, one);
    }

    /// <summary>One host is alone: neither the others nor the client hear it.</summary>
    public async Task IsolateAsync(int i)
    {
        foreach (var segment in (string[])["mail", "bus"])
        {
            await NftAsync($"add rule bridge lab forward iifname {segment}{i} drop");
            await NftAsync($"add rule bridge lab forward oifname {segment}{i} drop");
        }
    }

    /// <summary>All that was cut passes again; cables are in.</summary>
    public async Task HealAsync()
    {
        await NftAsync("add table bridge lab");
        await NftAsync("delete table bridge lab");
        foreach (var i in Hosts)
            foreach (var segment in (string[])["mail", "bus"])
                await _switch.RunIpAsync($"link set {segment}{i} up", CancellationToken.None);
    }

    /// <summary>The cable of a host's mail interface is pulled: no carrier there, and the bus goes on.</summary>
    public Task PullMailCableAsync(int i) => _switch.RunIpAsync($"link set mail{i} down", CancellationToken.None);

    /// <summary>All cables of a host are pulled.</summary>
    public async Task PullCablesAsync(int i)
    {
        await _switch.RunIpAsync($"link set bus{i} down", CancellationToken.None);
        await PullMailCableAsync(i);
    }

    private Task DropAsync(string from, string to) => NftAsync($"add rule bridge lab forward iifname {from} oifname {to} drop");

    private async Task NftAsync(string rule)
    {
        if (rule.StartsWith("add rule", StringComparison.Ordinal))
        {
            await RunAsync("add table bridge lab");
            await RunAsync("add chain bridge lab forward { type filter hook forward priority 0; policy accept; }");
        }
        await RunAsync(rule);

        async Task RunAsync(string command)
        {
            string[] words = [.. _switch.ExecPrefix, "nft", command];
            using var nft = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardError = true })!;
            var error = await nft.StandardError.ReadToEndAsync();
            await nft.WaitForExitAsync();
            if (nft.ExitCode != 0)
                throw new IOException($"nft {command}: {error}");
        }
    }
}
