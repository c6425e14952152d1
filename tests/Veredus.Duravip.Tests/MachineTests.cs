namespace Veredus.Duravip.Tests;

/// <summary>What an operator sees of the protocol, one behaviour each.</summary>
public sealed class MachineTests
{
    private static string[] Owners(Cluster cluster, int count) =>
        [.. Enumerable.Range(1, count).Select(i => cluster.HolderOf($"192.0.2.{i}") is >= 0 and var n ? Cluster.Name(n) : "")];

    [Fact]
    public void A_cold_start_shares_the_addresses_evenly()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(9));
        Assert.All(cluster.Host, host => Assert.Equal(3, host.Count));
    }

    [Fact]
    public void Nothing_is_elected_before_the_membership_has_settled()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(2), Cluster.Fast with { ViewMatureMs = 60_000 });
        Assert.All(cluster.Host, Assert.Empty);
        Assert.Contains("[not mature yet", ShowReport.Text(cluster.Machines[0].Describe(cluster.Now)), StringComparison.Ordinal);
    }

    [Fact]
    public void The_addresses_of_a_dead_node_are_served_elsewhere_at_once()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(9));
        cluster.Kill(2);
        Assert.DoesNotContain("", Owners(cluster, 9));
        Assert.Contains(cluster.Logs[0], line => line.EndsWith("owner mta3 left (process death), electing", StringComparison.Ordinal));
        Assert.Contains(cluster.Logs.SelectMany(lines => lines), line => line.EndsWith("(failover)", StringComparison.Ordinal));
    }

    [Fact]
    public void Nothing_moves_that_need_not()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(9));
        var before = Owners(cluster, 9);
        cluster.Kill(2);
        var after = Owners(cluster, 9);
        for (var i = 0; i < 9; i++)
            Assert.True(before[i] == "mta3" || before[i] == after[i]);
    }

    [Fact]
    public void A_returning_node_gets_its_share_back_by_balancing_and_its_preferred_addresses_first()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(6, i => i < 2 ? "mta2" : ""));
        cluster.Kill(1);
        Assert.All(Owners(cluster, 6), owner => Assert.Equal("mta1", owner));
        cluster.Join(1);
        cluster.Run(1_500);
        Assert.Equal(["mta2", "mta2"], Owners(cluster, 2));
        cluster.Run(10_000);
        Assert.Equal(3, cluster.Host[1].Count);
    }

    [Fact]
    public void An_address_that_was_handed_over_is_not_probed_for_and_one_that_was_lost_is()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(3));
        var address = VipAddress.Parse("192.0.2.1");
        var (from, to) = (cluster.HolderOf("192.0.2.1"), (cluster.HolderOf("192.0.2.1") + 1) % 3);
        Assert.All(cluster.Effects.SelectMany(effects => effects).OfType<PlumbEffect>(), plumb => Assert.True(plumb.Probe));  // cold start: who knows

        cluster.Command(0, new MoveCommand("192.0.2.1", Cluster.Name(to)));
        cluster.Run(100);
        Assert.False(cluster.Effects[to].OfType<PlumbEffect>().Last(plumb => plumb.Address == address).Probe);

        cluster.Kill(to);
        cluster.Run(100);
        var heir = cluster.HolderOf("192.0.2.1");
        Assert.True(heir >= 0 && cluster.Effects[heir].OfType<PlumbEffect>().Last(plumb => plumb.Address == address).Probe);
    }

    [Fact]
    public void A_node_that_stops_stays_until_the_others_have_what_it_let_go_but_not_for_ever()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(3));
        var leaver = cluster.HolderOf("192.0.2.1");
        bool HasLeft() => cluster.Effects[leaver].Exists(effect => effect is LeaveGroupEffect);

        foreach (var n in Enumerable.Range(0, 3).Where(n => n != leaver))
            cluster.Hung.Add(n);
        cluster.Tell(leaver, new StopRequestedEvent());
        Assert.Empty(cluster.Host[leaver]);
        Assert.False(HasLeft());
        foreach (var n in cluster.Hung.ToArray())
            cluster.Wake(n);
        Assert.True(HasLeft());
        Assert.NotEqual(-1, cluster.HolderOf("192.0.2.1"));
        Assert.All(cluster.Effects.SelectMany((effects, n) => n == leaver ? [] : effects).OfType<PlumbEffect>().Where(plumb => plumb.Address == VipAddress.Parse("192.0.2.1")).TakeLast(1), plumb => Assert.False(plumb.Probe));

        var alone = new Cluster(2, _ => Cluster.Vips(1));
        leaver = alone.HolderOf("192.0.2.1");
        alone.Hung.Add(1 - leaver);
        alone.Tell(leaver, new StopRequestedEvent());
        alone.Run(900);
        Assert.DoesNotContain(alone.Effects[leaver], effect => effect is LeaveGroupEffect);
        alone.Run(200);
        Assert.Contains(alone.Effects[leaver], effect => effect is LeaveGroupEffect);
    }

    [Fact]
    public void Many_addresses_are_handed_over_in_waves_the_next_when_the_others_have_the_former_or_after_a_while()
    {
        IEnumerable<int> Waves(Cluster cluster) => cluster.Effects[0].OfType<MulticastEffect>().Select(sent => sent.Message).OfType<ReleasedMessage>().Select(released => released.Addresses.Count);

        var quick = new Cluster(2, _ => Cluster.Vips(200, _ => "mta1"));
        Assert.Equal(200, quick.Host[0].Count);
        quick.Tell(0, new StopRequestedEvent());  // no time passes
        Assert.Equal(200, quick.Host[1].Count);
        Assert.Equal([64, 64, 64, 8], Waves(quick));

        var slow = new Cluster(2, _ => Cluster.Vips(200, _ => "mta1"));
        slow.Hung.Add(1);
        slow.Tell(0, new StopRequestedEvent());
        Assert.Equal(136, slow.Host[0].Count);
        slow.Run(100);
        Assert.Equal(72, slow.Host[0].Count);
        slow.Wake(1);
        Assert.Equal(200, slow.Host[1].Count);
    }

    [Fact]
    public void What_another_node_has_already_or_nobody_will_take_is_let_go_at_once()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(200), Cluster.Fast with { PartitionPolicy = PartitionPolicy.Quorum });
        cluster.Tell(0, new QuorumChangedEvent(false));
        Assert.Empty(cluster.Host[0]);
        cluster.Tell(1, new StopRequestedEvent());  // the other serves nothing
        cluster.Run(1_100);
        Assert.Empty(cluster.Host[1]);
    }

    [Fact]
    public void A_reset_while_a_join_is_under_way_leaves_and_joins_anew()
    {
        var effects = new List<DuravipEffect>();
        var machine = new DuravipMachine("mta1", MemberRole.Node, Cluster.Vips(1), Cluster.Fast);
        foreach (var happened in (DuravipEvent[])[new StartedEvent(), new HostCleanedEvent(), new ResetCommand(), new JoinedEvent(Cluster.Id(0), 1), new QueueDrainedEvent()])
            machine.Apply(happened, 1_000, effects);
        Assert.Equal(["JoinGroupEffect", "LeaveGroupEffect", "JoinGroupEffect"], effects.Where(effect => effect is JoinGroupEffect or LeaveGroupEffect).Select(effect => effect.GetType().Name));

        machine.Apply(new JoinedEvent(Cluster.Id(0), 2), 1_001, effects);
        machine.Apply(new ViewChangedEvent([Cluster.Id(0)], [], [Cluster.Id(0)]), 1_001, effects);
        machine.Apply(new QueueDrainedEvent(), 1_001, effects);
        Assert.Contains(effects, effect => effect is MulticastEffect { Message: ViewOpenMessage });
    }

    [Fact]
    public void An_operator_move_pins_until_unpinned()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1, _ => "mta1"));
        Assert.Equal("moving 192.0.2.1 from mta1 to mta2", cluster.Command(0, new MoveCommand("cust-0", "mta2") { By = "ana", Why = "test" }));
        cluster.Run(10_000);
        Assert.Equal(1, cluster.HolderOf("192.0.2.1"));
        Assert.Equal("192.0.2.1 is on mta2 because ana moved it (\"test\"); it stays until moved again, unpinned, or mta2 is gone.",
            cluster.Machines[0].Explain(VipAddress.Parse("192.0.2.1"), cluster.Now)!.Sentence);
        cluster.Command(1, new UnpinCommand("192.0.2.1"));
        cluster.Run(3_000);
        Assert.Equal(0, cluster.HolderOf("192.0.2.1"));
    }

    [Fact]
    public void A_pin_with_an_end_ends()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1, _ => "mta1"));
        cluster.Command(0, new MoveCommand("192.0.2.1", "mta2.example.net") { PinMs = 5_000 });
        cluster.Run(4_000);
        Assert.Equal(1, cluster.HolderOf("192.0.2.1"));
        cluster.Run(4_000);
        Assert.Equal(0, cluster.HolderOf("192.0.2.1"));
    }

    [Fact]
    public void Moves_that_cannot_be_are_refused_with_the_reason()
    {
        var cluster = new Cluster(2, n => n == 0 ? Cluster.Vips(2) : Cluster.Vips(1));
        Assert.Equal("move refused: 10.0.0.1 is not a DuraVIP", cluster.Command(0, new MoveCommand("10.0.0.1", "mta2")));
        Assert.Equal("move refused: 192.0.2.2: mta2 is not a participant", cluster.Command(0, new MoveCommand("192.0.2.2", "mta2")));
        Assert.Equal("move refused: 192.0.2.1: mta9 is not a participant", cluster.Command(0, new MoveCommand("192.0.2.1", "mta9")));
        cluster.Command(1, new DrainCommand(true));
        Assert.Equal("move refused: 192.0.2.1: mta2 cannot take it: draining", cluster.Command(0, new MoveCommand("192.0.2.1", "mta2")));
    }

    [Fact]
    public void Draining_gives_everything_away_and_undraining_takes_part_again()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(4));
        cluster.Command(1, new DrainCommand(true));
        Assert.Empty(cluster.Host[1]);
        Assert.Equal(4, cluster.Host[0].Count);
        cluster.Command(1, new DrainCommand(false));
        cluster.Run(8_000);
        Assert.Equal(2, cluster.Host[1].Count);
    }

    [Fact]
    public void A_stop_hands_everything_over_before_it_leaves()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(4));
        cluster.Tell(1, new StopRequestedEvent());
        Assert.Equal(4, cluster.Host[0].Count);
        var effects = cluster.Effects[1];
        Assert.True(effects.FindLastIndex(effect => effect is UnplumbEffect) < effects.FindIndex(effect => effect is LeaveGroupEffect));
        Assert.Single(effects.OfType<StoppedEffect>());
    }

    [Fact]
    public void A_follower_is_where_its_binding_is()
    {
        var set = new VipSet([Cluster.Vip("192.0.2.1", "cust-a"), Cluster.Vip("192.0.2.2", "cust-b"), Cluster.Vip("192.0.2.9", "", services: ["esmtp"], unit: "192.0.2.1")]);
        var cluster = new Cluster(2, _ => set);
        Assert.Equal(cluster.HolderOf("192.0.2.1"), cluster.HolderOf("192.0.2.9"));
        var other = cluster.HolderOf("192.0.2.1") == 0 ? 1 : 0;
        cluster.Command(0, new MoveCommand("192.0.2.9", Cluster.Name(other)));
        Assert.Equal(other, cluster.HolderOf("192.0.2.1"));
        Assert.Equal(other, cluster.HolderOf("192.0.2.9"));
    }

    [Fact]
    public void An_address_that_cannot_be_plumbed_goes_to_another_node()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1, _ => "mta1"));
        cluster.Kill(0);
        cluster.Refused.Add((0, VipAddress.Parse("192.0.2.1")));
        cluster.Join(0);
        cluster.Run(3_000);
        Assert.Equal(1, cluster.HolderOf("192.0.2.1"));
        Assert.Contains("duravip: cannot plumb 192.0.2.1 on eth0: Operation not permitted", cluster.Logs[0]);
        Assert.Contains("mta1 multivip preferred failed", ShowReport.Text(cluster.Machines[1].Describe(cluster.Now)), StringComparison.Ordinal);
        cluster.Refused.Clear();
        cluster.Run(40_000);
        Assert.Equal(0, cluster.HolderOf("192.0.2.1"));
    }

    [Fact]
    public void Two_preferences_are_a_conflict_and_none_counts()
    {
        var cluster = new Cluster(2, n => Cluster.Vips(1, _ => Cluster.Name(n)));
        var vip = cluster.Machines[0].Describe(VipAddress.Parse("192.0.2.1"), cluster.Now)!;
        Assert.Equal(("conflict", "", "mta1: prefers mta1, mta2: prefers mta2"), (vip.Safety, vip.Preferred, vip.SafetyReason));
        Assert.Contains("duravip: 192.0.2.1/cust-0: safe -> conflict: mta1: prefers mta1, mta2: prefers mta2", cluster.Logs[0]);
    }

    [Fact]
    public void Differing_services_are_UNSAFE_and_still_managed()
    {
        var cluster = new Cluster(2, n => Cluster.Vips(1, services: n == 0 ? ["esmtp", "multivip"] : ["multivip"]));
        Assert.NotEqual(-1, cluster.HolderOf("192.0.2.1"));
        Assert.Equal("UNSAFE", cluster.Machines[1].Describe(VipAddress.Parse("192.0.2.1"), cluster.Now)!.Safety);
    }

    [Fact]
    public void Differing_names_are_BROKEN_and_not_managed()
    {
        var cluster = new Cluster(2, n => Cluster.Vips(1, name: _ => $"cust-{n}"));
        Assert.Equal(-1, cluster.HolderOf("192.0.2.1"));
        Assert.Equal("move refused: 192.0.2.1 is BROKEN", cluster.Command(0, new MoveCommand("192.0.2.1", "mta2")));
    }

    [Fact]
    public void One_binding_with_two_addresses_breaks_both()
    {
        var cluster = new Cluster(2, n => new([Cluster.Vip($"192.0.2.{n + 1}", "cust")]));
        Assert.All(cluster.Machines[0].Describe(cluster.Now).Vips, vip => Assert.Equal("BROKEN", vip.Safety));
    }

    [Fact]
    public void An_owned_address_survives_a_rolling_reload_that_breaks_it_for_a_while()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1));
        var owner = cluster.HolderOf("192.0.2.1");
        cluster.Tell(1, new ReconfiguredEvent(Cluster.Vips(1, name: _ => "new"), Cluster.Fast));
        cluster.Run(2_000);
        Assert.Equal(owner, cluster.HolderOf("192.0.2.1"));
        cluster.Tell(0, new ReconfiguredEvent(Cluster.Vips(1, name: _ => "new"), Cluster.Fast));
        cluster.Run(10_000);
        Assert.Equal(owner, cluster.HolderOf("192.0.2.1"));
    }

    [Fact]
    public void A_BROKEN_address_is_released_when_its_grace_is_over()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1));
        cluster.Tell(1, new ReconfiguredEvent(Cluster.Vips(1, name: _ => "new"), Cluster.Fast));
        cluster.Run(5_000);
        Assert.Equal(-1, cluster.HolderOf("192.0.2.1"));
        Assert.StartsWith("Veredus does not manage 192.0.2.1 because it is BROKEN: mta1: cust-0, mta2: new",
            cluster.Machines[0].Explain(VipAddress.Parse("192.0.2.1"), cluster.Now)!.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reload_gives_up_removed_addresses_and_claims_added_ones()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(2));
        var now = new VipSet([Cluster.Vip("192.0.2.2", "cust-1"), Cluster.Vip("192.0.2.3", "cust-2")]);
        cluster.Tell(0, new ReconfiguredEvent(now, Cluster.Fast));
        Assert.Equal(1, cluster.HolderOf("192.0.2.1"));
        Assert.Equal(0, cluster.HolderOf("192.0.2.3"));
        cluster.Tell(1, new ReconfiguredEvent(now, Cluster.Fast));
        Assert.Equal(-1, cluster.HolderOf("192.0.2.1"));
    }

    [Fact]
    public void A_hung_node_is_voted_out_and_drops_everything_when_it_wakes()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(3));
        cluster.Run(5_000);
        cluster.Hung.Add(2);
        cluster.Run(cluster.Machines[0].Options.EffectiveSuspectMs - 1_500);
        Assert.Single(cluster.Host[2]);
        cluster.Host[2].Clear();  // its lease has ended
        cluster.Run(3_000);
        Assert.Equal(3, cluster.Host[0].Count + cluster.Host[1].Count);
        cluster.Wake(2);
        Assert.Contains("duravip: this node was excluded/suspected; all addresses dropped, rejoining", cluster.Logs[2]);
        Assert.Contains(cluster.Effects[2], effect => effect is JoinGroupEffect);
    }

    [Fact]
    public void A_missing_address_is_plumbed_again_after_the_limit_and_after_a_lost_lease_at_once()
    {
        var cluster = new Cluster(1, _ => Cluster.Vips(1));
        var address = VipAddress.Parse("192.0.2.1");
        cluster.Host[0].Clear();
        cluster.Tell(0, new AddressGoneEvent(address, LeaseExpired: false));
        cluster.Run(2_000);
        Assert.Empty(cluster.Host[0]);
        cluster.Run(4_000);
        Assert.Single(cluster.Host[0]);
        cluster.Host[0].Clear();
        cluster.Tell(0, new AddressGoneEvent(address, LeaseExpired: true));
        cluster.Run(1_000);
        Assert.Single(cluster.Host[0]);
    }

    [Fact]
    public void A_VIP_on_a_host_that_does_not_own_it_is_removed_and_anything_else_is_never_touched()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1, _ => "mta1"));
        cluster.Host[1].Add(VipAddress.Parse("192.0.2.1"));
        cluster.Tell(1, new AddressPresentEvent(VipAddress.Parse("192.0.2.1"), new("eth7", 24)));
        cluster.Tell(1, new AddressPresentEvent(VipAddress.Parse("192.0.2.200"), new("eth7", 24)));
        Assert.Empty(cluster.Host[1]);
        Assert.Contains("duravip: removed foreign 192.0.2.1 from eth7", cluster.Logs[1]);
        Assert.DoesNotContain(cluster.Effects[1], effect => effect is UnplumbEffect { Address: var other } && other == VipAddress.Parse("192.0.2.200"));
    }

    [Fact]
    public void Without_carrier_a_node_withdraws_if_another_can_serve()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(2));
        cluster.Tell(0, new CarrierChangedEvent("eth0", false));
        cluster.Run(6_000);
        Assert.Empty(cluster.Host[0]);
        cluster.Tell(0, new CarrierChangedEvent("eth0", true));
        cluster.Run(8_000);
        Assert.Single(cluster.Host[0]);
    }

    [Fact]
    public void Under_the_quorum_policy_an_inquorate_node_serves_nothing()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(2), Cluster.Fast with { PartitionPolicy = PartitionPolicy.Quorum });
        Assert.Single(cluster.Host[0]);
        cluster.Tell(0, new QuorumChangedEvent(false));
        Assert.Empty(cluster.Host[0]);
        Assert.Equal("move refused: no quorum", cluster.Command(0, new MoveCommand("192.0.2.1", "mta1")));
        cluster.Tell(0, new QuorumChangedEvent(true));
        Assert.Single(cluster.Host[0]);
    }

    [Fact]
    public void A_member_whose_table_differs_is_found_and_resynchronises()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(3));
        cluster.Run(3_000);
        var table = cluster.Machines[2].Table!;
        table.SetHolders(table.Rows[0], MemberSet.Of(2));
        // Any ordered message makes the wrong table comparable again.
        cluster.Command(0, new AnnounceCommand());
        cluster.Machines[2].Table!.SetHolders(table.Rows[0], MemberSet.Of(1).With(2).With(0));
        cluster.Command(0, new UnpinCommand(null));
        cluster.Run(4_000);
        Assert.Contains(cluster.Logs[2], line => line.Contains("all addresses dropped, rejoining", StringComparison.Ordinal));
        Assert.DoesNotContain(cluster.Logs[0], line => line.Contains("all addresses dropped", StringComparison.Ordinal));
    }
}
