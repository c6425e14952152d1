using System.Collections.Immutable;
using Veredus.Cluster;

namespace Veredus.ConfigServer.Tests;

/// <summary>Copies that lag, and revisions that wait to be kept: what servers and nodes say of them.</summary>
public sealed class LagTests
{
    private static readonly MemberId One = new(1, 1), Two = new(2, 1);

    [Fact]
    public void A_copy_is_told_once_it_has_lagged_for_a_minute_and_again_when_it_has_caught_up()
    {
        var (behind, even) = (Replicas(newer: 2, older: 1), Replicas(newer: 2, older: 2));
        var lag = ReplicaLag.None;
        Assert.Equal(("", "", null), Look(even, 0));
        Assert.Equal(("", "", 70.0), Look(behind, 10));
        Assert.Equal(("", "", 70.0), Look(behind, 69));
        Assert.Equal(("b", "", null), Look(behind, 70));
        Assert.Equal(("", "", null), Look(behind, 500));
        Assert.Equal(10, Assert.Single(lag.Lagging).Since);
        Assert.Equal(("", "b", null), Look(even, 501));
        Assert.Equal(("", "", 660.0), Look(behind, 600));
        Assert.Equal(("", "", null), Look(even, 610));  // never told: nothing to say

        (string, string, double?) Look(Dictionary<string, Replica> replicas, double now)
        {
            (lag, var told, var over) = lag.Look(replicas, now);
            return (string.Join(' ', told.Select(one => one.Server)), string.Join(' ', over.Select(one => one.Server)), lag.Due);
        }
    }

    [Fact]
    public async Task A_server_that_can_not_take_a_revision_is_logged_shown_and_told_to_the_nodes_until_it_can()
    {
        using var scratch = new Scratch();
        using var hang = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var (bus, time, log) = (new SwitchBus(), new ManualTime(), new List<string>());
        await using var one = await StartAsync("mgr1", time);
        await using var two = await StartAsync("mgr2", TimeProvider.System);
        await one.Replicator.UntilAsync(() => one.Replicator.WhyNoCommit("default") is null && one.Replicator.Replicas.GetValueOrDefault("default")?.Members.Count == 2, hang.Token);
        var pem = scratch.Below("pin.pem");
        File.WriteAllText(pem, one.CertificatePem);
        var remote = Remote.Https("localhost", one.Port, "admin", "secret", pem);
        var copy = new WorkingCopy(scratch.Below("host"), scratch.Below("host", "conf"));
        await copy.BootstrapAsync(remote, "default", default);

        // Its main can't move: something holds the lock on it.
        var held = Path.Combine(two.Store.Open("default").Directory, "refs", "heads", "main.lock");
        File.WriteAllText(held, "");
        copy.Write("default/a.conf", "# 1\n");
        var commit = copy.CommitAsync(remote, Hosts.By("a"), _ => true, default);
        await time.UntilTimerAsync(Replicator.AcknowledgementWait, hang.Token);
        time.Advance(Replicator.AcknowledgementWait);
        Assert.Equal(2, (await commit).Single().Revision.Revision);
        using var client = new ConfigClient("localhost", one.Port, "ecuser", "service", one.CertificatePem);
        Assert.Null((await client.HeadsAsync("default", default)).Behind);
        time.Advance(TimeSpan.FromSeconds(ReplicaLag.PatienceSeconds));
        await SaidAsync("configd: mgr2 has lagged behind in default for");
        Assert.Contains("mgr2's copy of default lags", (await client.HeadsAsync("default", default)).Behind, StringComparison.Ordinal);
        var status = (await client.StatusAsync(default)).Repositories.Single(repository => repository.Name == "default");
        Assert.True(status.Servers.Single(server => server.Server == "mgr2").BehindSeconds >= 60);
        Assert.Null(status.Servers.Single(server => server.Server == "mgr1").BehindSeconds);

        File.Delete(held);
        await SaidAsync("configd: mgr2 no longer lags behind in default");
        Assert.Null((await client.HeadsAsync("default", default)).Behind);

        async Task<ConfigServerHost> StartAsync(string name, TimeProvider clock)
        {
            var server = await ConfigServerHost.StartAsync(new()
            {
                NodeName = name, HostName = "localhost", Directory = scratch.Below(name), Port = 0, ServicePassword = "service", Bus = bus.Join(), RequireMajority = false, Time = clock, Log = Note,
            }, default);
            server.Users.Set("admin", "secret", ["*"]);
            return server;
        }

        void Note(string line)
        {
            lock (log)
                log.Add(line);
        }

        Task SaidAsync(string text) => one.Lags.UntilAsync(() =>
        {
            lock (log)
                return log.Any(line => line.Contains(text, StringComparison.Ordinal));
        }, hang.Token);
    }

    [Fact]
    public async Task A_revision_that_waits_to_be_kept_shows_on_the_nodes_until_it_is()
    {
        await using var one = await OneServer.StartAsync(null, "writer");
        await using var node = await one.FollowAsync("mta1");
        one.Write("writer", "default/a.conf", "# 1\n");
        await one.RunAsync("writer", 0, "commit", "--add-all", "--confirm-within", "10m");
        await node.UntilAsync(state => state is { Revision: 2, Code: "", Unconfirmed: not null }, one.Hang);
        var (code, text) = Assert.Single(node.State!.Findings);
        Assert.Equal((FollowCodes.Unconfirmed, "INFO"), (code, FollowCodes.Severity(code)));
        Assert.Matches(@"^revision 2 \([0-9a-f]{7}\) of default is taken back 10 min after its commit unless 'eccfg keep' comes$", text);
        await one.RunAsync("writer", 0, "keep");
        await node.UntilAsync(state => state is { Revision: 3, Unconfirmed: null }, one.Hang);
    }

    /// <summary>What server a sees when it has one revision and b another.</summary>
    private static Dictionary<string, Replica> Replicas(int newer, int older)
    {
        var (replica, _) = Replica.Start(One, "a", HeadOf(newer), ReplicaMemory.Empty).Apply(new ReplicaEvent.ViewChanged([One, Two]));
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(One, Report("a", newer, older, true)));
        (replica, _) = replica.Apply(new ReplicaEvent.Reported(Two, Report("b", older, newer, newer == older)));
        return new() { ["default"] = replica };
    }

    private static ServerReport Report(string name, int head, int other, bool contains) =>
        new(name, HeadOf(head), ImmutableDictionary<string, bool>.Empty.Add(HeadOf(other).Commit.Hex, contains), false, 1, MasterOverride.Never, []);

    private static Head HeadOf(int revision) => new(revision, new(revision.ToString("x40", System.Globalization.CultureInfo.InvariantCulture)));
}
