using System.Net;

namespace Veredus.Lab;

/// <summary>What operators do to a running cluster, right and wrong. Every case ends with the configuration that it found.</summary>
[Collection("lab")]
public sealed class OperatorTests(SharedLab shared)
{
    private LabCluster Lab => shared.Lab;

    private IPAddress Vip(int i) => Lab.Vips[i];

    [LabFact]
    public async Task An_operator_s_move_is_followed_by_the_address_and_shown_everywhere()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        await using var mail = new MailClient(Lab.Client, Lab.Vips);
        var (owner, held) = await Lab.SomeOwnerAsync();
        var other = owner % LabCluster.Size + 1;

        Assert.Contains($"Node Name: mta{owner}", await Lab.ToolAsync(other, "console", "cluster", "membership"), StringComparison.Ordinal);
        Assert.Contains("moving", await Lab.ToolAsync(other, "vip", "move", $"{held[0]}", "--to", $"mta{other}", "--yes"), StringComparison.Ordinal);
        await prober.UntilAllAsync([held[0]], seen => seen.Node == $"mta{other}.lab", () => Lab.Story);
        await Lab.UntilSaidAsync(other, $"duravip: plumbed {held[0]} on eth0 (move)");
        foreach (var i in LabCluster.Hosts)
            await UntilListedAsync(i, held[0], $"mta{other}");
        await Lab.ToolAsync(other, "vip", "unpin", $"{held[0]}");
        await Lab.SettledAsync();
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
        Assert.Empty(mail.Cut);
    }

    [LabFact]
    public async Task A_rolling_reload_with_changed_bindings_costs_no_address_and_no_transaction()
    {
        await Lab.SettledAsync();
        await using var prober = new Prober(Lab.Client, Lab.Vips);
        await using var mail = new MailClient(Lab.Client, Lab.Vips);
        var added = IPAddress.Parse("198.18.9.1");
        var listens = string.Concat(Lab.Vips.Append(added).Select(vip => NodePlan.Listen(vip)));
        foreach (var name in (string[])["cust-a", "cust-b"])
            await Lab.ReloadAsync([.. LabCluster.Hosts.Select(i => new NodePlan(i) { Listens = listens, More = Binding(name, Vip(0)) })]);

        await using (var extra = new Prober(Lab.Client, [added]))
            await extra.UntilAllAsync([added], seen => seen.Node.Length > 0, () => Lab.Story);
        foreach (var i in LabCluster.Hosts)
            await UntilListedAsync(i, Vip(0), "safe", "cust-b");

        await Lab.ReloadAsync([.. LabCluster.Hosts.Select(i => new NodePlan(i))]);
        await Lab.SettledAsync();
        await prober.UntilAllAsync(Lab.Vips, seen => seen.Node.Length > 0, () => Lab.Story);
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
        Assert.Empty(mail.Cut);
        foreach (var i in LabCluster.Hosts)
            Assert.DoesNotContain(added, await Lab.AddressesOnAsync(i));
    }

    [LabFact]
    public async Task Configurations_that_contradict_each_other_are_shown_as_what_they_are_and_only_BROKEN_is_not_served()
    {
        await Lab.SettledAsync();
        var usual = Lab.Vips.Skip(3).Select(vip => NodePlan.Listen(vip)).ToArray();
        await Lab.ReloadAsync([.. LabCluster.Hosts.Select(i => new NodePlan(i)
        {
            Cluster = "duravip_broken_grace = 1",
            Listens = string.Concat([
                .. usual,
                NodePlan.Listen(Vip(0), $"enable_duravip = true duravip_preference = \"mta{i}\""),  // each wants it for itself
                .. i == 1 ? Array.Empty<string>() : [NodePlan.Listen(Vip(1))],  // the first only sends from it
            ]),
            More = Binding("sends", Vip(1)) + Binding($"only-{i}", Vip(2)),  // each calls it otherwise
        })]);

        foreach (var i in LabCluster.Hosts)
        {
            await UntilListedAsync(i, Vip(0), "conflict");
            await UntilListedAsync(i, Vip(1), "UNSAFE");
            await UntilListedAsync(i, Vip(2), "BROKEN");
            await Lab.UntilSaidAsync(i, $"duravip: {Vip(2)}/");
        }
        await using (var prober = new Prober(Lab.Client, [Vip(0), Vip(3)]))
            await prober.UntilAllAsync([Vip(0), Vip(3)], seen => seen.Node.Length > 0, () => Lab.Story);
        while ((await Lab.HoldersAsync())[Vip(2)].Length > 0)
            await Task.Delay(100);  // its grace of one second

        await Lab.ReloadAsync([.. LabCluster.Hosts.Select(i => new NodePlan(i))]);
        await Lab.SettledAsync();
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);
    }

    [LabFact]
    public async Task A_node_with_the_name_of_another_leaves_and_says_so()
    {
        await RestartAsync(new NodePlan(3) { Name = "mta1" });
        await Lab.UntilSaidAsync(3, "cluster: node name 'mta1' is already in use");
        await Lab.SettledAsync(1, 2);
        await StillServesAsync(3, "mta1.lab");
        await RestartAsync(new NodePlan(3));
        await Lab.SettledAsync();
    }

    [LabFact]
    public async Task A_node_whose_interface_does_not_exist_leaves_the_addresses_to_the_others()
    {
        await RestartAsync(new NodePlan(3) { Interface = "nosuch0" });
        await Lab.UntilSaidAsync(3, $"duravip: {Vip(0)}: interface nosuch0 does not exist");
        await Lab.SettledAsync(1, 2);
        await StillServesAsync(3, "mta3.lab");
        await RestartAsync(new NodePlan(3));
        await Lab.SettledAsync();
    }

    [LabFact]
    public async Task A_main_address_as_virtual_address_is_refused_at_start()
    {
        await Lab.SettledAsync();
        await Lab.SignalAsync(3, "TERM");
        await Lab.EndedAsync(3);
        Lab.Use(new NodePlan(3) { Listens = NodePlan.Listen(Vip(0)) + "  listen \"198.18.7.3:2525\" { enable_duravip = true }\n" });
        Assert.NotEqual(0, await Lab.StartInVainAsync(3));
        await Lab.UntilSaidAsync(3, "duravip: 198.18.7.3 is a main address of this host");
        Lab.Use(new NodePlan(3));
        await Lab.StartNodeAsync(3);
        await Lab.SettledAsync();
    }

    [LabFact]
    public async Task A_host_with_the_wrong_key_stays_alone_and_serves_nothing_where_the_majority_counts()
    {
        await Lab.SettledAsync();
        await Lab.SignalAsync(3, "TERM");
        await Lab.EndedAsync(3);
        await Lab.KillBusAsync(3);
        await Lab.StartBusAsync(3, new byte[256]);
        Lab.Use(new NodePlan(3) { Cluster = "duravip_partition_policy = quorum" });
        await Lab.StartNodeAsync(3);
        await StillServesAsync(3, "mta3.lab");
        await Lab.SettledAsync(1, 2);
        Assert.Empty(await Lab.AddressesOnAsync(3));
        await WireWatch.AssertOneEachAsync(Lab, Lab.Vips);

        await Lab.KillBusAsync(3);
        await Lab.StartBusAsync(3);
        await RestartAsync(new NodePlan(3));
        await Lab.SettledAsync();
    }

    [LabFact]
    public async Task Nodes_that_are_stopped_cost_no_vote_while_their_hosts_are_there()
    {
        await Lab.SettledAsync();
        await RestartAsync(new NodePlan(3) { Cluster = "duravip_partition_policy = quorum" });
        await Lab.SettledAsync();
        foreach (var i in (int[])[1, 2])
        {
            await Lab.SignalAsync(i, "TERM");
            await Lab.EndedAsync(i);
        }
        await Lab.SettledAsync(3);

        foreach (var i in (int[])[1, 2])
            await Lab.StartNodeAsync(i);
        await RestartAsync(new NodePlan(3));
        await Lab.SettledAsync();
    }

    private async Task RestartAsync(NodePlan plan)
    {
        await Lab.SignalAsync(plan.Host, "TERM");
        await Lab.EndedAsync(plan.Host);
        Lab.Use(plan);
        await Lab.StartNodeAsync(plan.Host);
    }

    private async Task StillServesAsync(int i, string name)
    {
        await using var plain = new Prober(Lab.Client, [LabCluster.Static(i)]);
        await plain.UntilAllAsync([LabCluster.Static(i)], seen => seen.Node == name, () => Lab.Story);
    }

    private static string Binding(string name, IPAddress address) => $"binding \"{name}\" {{ bind_address = \"{address}\" enable_duravip = true }}\n";

    /// <summary>Until <c>vip list</c> on a node has all these words in the line of the address.</summary>
    private async Task UntilListedAsync(int i, IPAddress vip, params string[] words)
    {
        for (var begun = Environment.TickCount64; ; await Task.Delay(100))
        {
            var list = await Lab.ToolAsync(i, "vip", "list");
            if (list.Split('\n').FirstOrDefault(line => line.StartsWith($"{vip} ", StringComparison.Ordinal)) is { } found && words.All(word => found.Contains(word, StringComparison.Ordinal)))
                return;
            if (Environment.TickCount64 - begun > LabCluster.Limit.TotalMilliseconds)
                throw new TimeoutException($"mta{i} does not list {vip} as {string.Join(' ', words)}:\n{list}\n{Lab.Story}");
        }
    }
}
