using System.Text.Json;
using System.Xml.Linq;

namespace Veredus.Duravip.Tests;

public sealed class ReportTests
{
    private static readonly VipAddress First = VipAddress.Parse("192.0.2.1");

    private static Cluster Mixed() => new(2, n => new(
    [
        Cluster.Vip("192.0.2.1", "", "mta1", ["esmtp"]),
        Cluster.Vip("192.0.2.2", "cust-b", "", n == 0 ? ["esmtp", "multivip"] : ["multivip"]),
        Cluster.Vip("192.0.2.3", "", "", ["esmtp"], unit: "192.0.2.2"),
    ]));

    [Fact]
    public void Show_prints_each_address_with_its_participants_and_marks_the_owner()
    {
        var cluster = Mixed();
        var owner = cluster.HolderOf("192.0.2.2");
        var (first, second) = owner == 0 ? (" *  ", "    ") : ("    ", " *  ");
        var stable = cluster.Machines[0].Describe(First, cluster.Now)!.ViewStableMs / 1000;
        Assert.Equal($"""
            DuraVIP State:
            192.0.2.1/: (owned,safe) esmtp
            	[view stable for {stable} seconds]
            	[configuration stable for {stable} seconds]
             *  	mta1 esmtp preferred
                	mta2 esmtp
            192.0.2.2/cust-b: (owned,UNSAFE) esmtp multivip
            	[view stable for {stable} seconds]
            	[configuration stable for {stable} seconds]
            	[UNSAFE: mta1: esmtp multivip, mta2: multivip]
            {first}	mta1 esmtp multivip
            {second}	mta2 multivip
            192.0.2.3/: (owned,safe) esmtp follows 192.0.2.2
            	[view stable for {stable} seconds]
            	[configuration stable for {stable} seconds]
            {first}	mta1 esmtp
            {second}	mta2 esmtp

            """, ShowReport.Text(cluster.Machines[1].Describe(cluster.Now)));
    }

    [Fact]
    public void Tables_say_the_same_as_XML_and_as_JSON()
    {
        var cluster = Mixed();
        var view = cluster.Machines[0].Describe(cluster.Now);
        var xml = XElement.Parse(ShowReport.Xml(view));
        using var json = JsonDocument.Parse(ShowReport.Json(view));
        Assert.Equal("RUN", xml.Attribute("phase")!.Value);
        Assert.Equal(["mta1", "mta2"], xml.Elements("member").Select(member => member.Attribute("node")!.Value));
        Assert.Equal(3, xml.Elements("vip").Count());
        var vip = xml.Elements("vip").Single(element => element.Attribute("ip")!.Value == "192.0.2.3");
        Assert.Equal("192.0.2.2", vip.Attribute("unit")!.Value);
        Assert.Equal("esmtp", vip.Elements("participant").First().Attribute("services")!.Value);
        Assert.Equal(xml.Elements("vip").Select(element => element.Attribute("owner")!.Value),
            json.RootElement.GetProperty("vips").EnumerateArray().Select(element => element.GetProperty("owner").GetString()!));
        Assert.Equal(view.View.ToString(), json.RootElement.GetProperty("view").GetString());
    }

    [Fact]
    public void The_explanation_names_the_rule_and_every_node()
    {
        var cluster = Mixed();
        var explanation = cluster.Machines[1].Explain(First, cluster.Now)!;
        Assert.Equal((PlacementRule.Preferred, "mta1"), (explanation.Rule, explanation.Owner));
        Assert.Equal("192.0.2.1 is on mta1 because mta1 is its preferred node and is present.", explanation.Sentence);
        Assert.Equal(["mta1", "mta2"], explanation.Candidates.Select(candidate => candidate.Node));
        Assert.Contains("chosen", Explainer.Text(explanation), StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Explainer.Json(explanation));
        Assert.Equal("preferred", json.RootElement.GetProperty("rule").GetString());
        Assert.Null(cluster.Machines[1].Explain(VipAddress.Parse("192.0.2.99"), cluster.Now));
    }

    [Fact]
    public void After_a_failure_the_explanation_tells_what_happened_step_by_step()
    {
        var cluster = Mixed();
        cluster.Kill(0, DepartureReason.NodeDown);
        var explanation = cluster.Machines[1].Explain(First, cluster.Now)!;
        Assert.Equal(PlacementRule.OnlyCandidate, explanation.Rule);
        Assert.Contains("mta1: preferred; not in the view", explanation.Sentence, StringComparison.Ordinal);
        Assert.Equal("mta1 left (node down)", explanation.Steps[0].Text);
        Assert.Equal("answers on mta2", explanation.Steps[^1].Text);
    }

    [Fact]
    public void A_node_that_returns_is_waited_for_and_the_explanation_says_how_long()
    {
        var cluster = Mixed();
        cluster.Kill(0);
        cluster.Join(0);
        var explanation = cluster.Machines[1].Explain(First, cluster.Now)!;
        Assert.Equal(PlacementRule.Settling, explanation.Rule);
        Assert.Equal("returns to mta1 when the view has been stable for 1 s: about 1 s", explanation.Next);
    }

    [Fact]
    public void What_if_says_what_then_happens()
    {
        var cluster = new Cluster(3, _ => Cluster.Vips(9, i => i == 0 ? "mta3" : ""));
        var forecast = cluster.Machines[0].WhatIfDown(["mta3"])!;
        Assert.Equal(3, forecast.Moves.Count);
        Assert.Equal([First], forecast.OffPreferred);
        Assert.Empty(forecast.Lost);
        Assert.StartsWith("If mta3 went out now:\n  3 addresses move: ", Explainer.Text(forecast), StringComparison.Ordinal);
        cluster.Kill(2);
        foreach (var move in forecast.Moves)
            Assert.Equal(move.To, Cluster.Name(cluster.HolderOf(move.Address.ToString())));
    }

    [Fact]
    public void If_the_last_node_went_out_its_addresses_would_have_no_owner()
    {
        var cluster = new Cluster(1, _ => Cluster.Vips(2));
        Assert.Equal(2, cluster.Machines[0].WhatIfDown(["mta1"])!.Lost.Count());
    }

    [Fact]
    public void History_keeps_one_record_per_decision()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1, _ => "mta1"));
        cluster.Command(1, new MoveCommand("192.0.2.1", "mta2") { By = "ana", Why = "test" });
        var records = cluster.Machines[0].History.ToList();
        Assert.Equal([ChangeReason.Elected, ChangeReason.Move], records.Select(record => record.Trigger));
        Assert.Equal(("mta1", "mta2", "ana"), (records[1].Previous, records[1].Winner, records[1].By));
        Assert.Equal(records.Select(record => record.Winner), cluster.Machines[1].History.Select(record => record.Winner));
    }

    [Fact]
    public void Neighbours_of_all_nodes_are_shown_with_their_age_and_expire()
    {
        var cluster = new Cluster(2, _ => Cluster.Vips(1));
        cluster.Tell(0, new NeighboursSampledEvent([new(VipAddress.Parse("192.0.2.250"), 0x020000000001)]));
        cluster.Run(5_000);
        Assert.Equal("192.0.2.250 [02:00:00:00:00:01] 5\n", cluster.Machines[1].Neighbours.Show(cluster.Now));
        cluster.Run(700_000);
        Assert.Equal("", cluster.Machines[1].Neighbours.Show(cluster.Now));
    }

    [Fact]
    public void Every_reason_and_rule_has_its_word()
    {
        Assert.Equal(Enum.GetValues<ChangeReason>().Length, Enum.GetValues<ChangeReason>().Select(ReasonText.Of).Distinct().Count());
        Assert.Equal(Enum.GetValues<PlacementRule>().Length, Enum.GetValues<PlacementRule>().Select(ReasonText.Of).Distinct().Count());
        Assert.Equal(Enum.GetValues<Eligibility>().Length, Enum.GetValues<Eligibility>().Select(why => ReasonText.Of(why, First)).Distinct().Count());
    }

    [Fact]
    public void A_lease_too_short_for_the_bus_is_raised_and_suspicion_waits_for_it()
    {
        var options = new DuravipOptions { LeaseMs = 100, SuspectMs = 100, GatherTimeoutMs = 100 };
        Assert.True(options.AliveWindowMs + options.EffectiveLeaseMs >= options.BusDetectMs + 1_000);
        Assert.Equal(options.AliveWindowMs + options.EffectiveLeaseMs + 500, options.EffectiveSuspectMs);
        Assert.Equal(options.EffectiveSuspectMs, options.EffectiveGatherTimeoutMs);
        Assert.Equal(5_000, new DuravipOptions().EffectiveLeaseMs);
        Assert.Equal(3_000, new DuravipOptions { LeaseMs = 3_000, HeartbeatPeriodMs = 250 }.EffectiveLeaseMs);
    }
}
