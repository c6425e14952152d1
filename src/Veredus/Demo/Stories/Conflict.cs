using System.Net;

namespace Veredus.Demo.Stories;

/// <summary>Nodes with contradictory configurations: the cluster marks the addresses, keeps serving what can be served, and forgets the marks again.</summary>
internal static class Conflict
{
    public static readonly StoryScript Script = new("conflict", "two nodes' configurations contradict each other; the addresses are marked, then mended", RunAsync);

    private static async Task RunAsync(Story story, CancellationToken cancellationToken)
    {
        var (cluster, one, other) = (story.Cluster, story.Cluster.Hosts[0], story.Cluster.Hosts[1]);
        var (preferred, unequal, misnamed) = (cluster.Addresses[0], cluster.Addresses[1], cluster.Addresses[2]);
        await story.MailFlowsAsync(20, cancellationToken);
        await ReloadAsync(story, one, new(new Dictionary<IPAddress, string> { [preferred] = Preference(one) }, Binding("red", misnamed), new HashSet<IPAddress>()), cancellationToken);
        await ReloadAsync(story, other, new(new Dictionary<IPAddress, string> { [preferred] = Preference(other) }, 
            // Without a binding it would not take part in the address at all.
            Binding("blue", misnamed) + "\n" + Binding("silent", unequal), new HashSet<IPAddress> { unequal }), cancellationToken);
        await MarkedAsync(story, preferred, "conflict", $"{one.Name} prefers {one.Name}, {other.Name} prefers {other.Name}", cancellationToken);
        await MarkedAsync(story, unequal, "UNSAFE", $"{other.Name} has no listener on it", cancellationToken);
        await MarkedAsync(story, misnamed, "BROKEN", "it belongs to binding red here and to blue there", cancellationToken);
        foreach (var host in new[] { one, other })
            await ReloadAsync(story, host, NodeOverrides.None, cancellationToken);
        foreach (var address in new[] { preferred, unequal, misnamed })
            await MarkedAsync(story, address, "safe", "the configurations agree", cancellationToken);
        await cluster.SettledAsync(cancellationToken);
        await story.ExpectOneHolderEachAsync("at the end");
        await story.AccountAsync(mayRepeat: false, cancellationToken);
    }

    private static string Preference(DemoHost host) => $" duravip_preference = \"{host.Name}\" ";

    private static string Binding(string name, IPAddress address) => $"binding \"{name}\" {{ bind_address = \"{address}\"  enable_duravip = true }}";

    private static async Task ReloadAsync(Story story, DemoHost host, NodeOverrides overrides, CancellationToken cancellationToken)
    {
        story.Cluster.Configure(host, overrides);
        var answer = await host.AskAsync("config reload", cancellationToken);
        story.Say($"{host.Name}: config reload: {answer.Text}");
    }

    /// <summary>Waits until every node shows the mark, or the limit is over; judges and shows the reason that the node gives.</summary>
    private static async Task MarkedAsync(Story story, IPAddress address, string mark, string why, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(story.GapLimit * 4);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (true)
        {
            var seen = new List<SeenVip>();
            foreach (var host in story.Cluster.Hosts)
                if (await ClusterView.TryReadAsync(host, cancellationToken) is { } view && view.Vips.FirstOrDefault(vip => vip.Address.Equals(address)) is { } vip)
                    seen.Add(vip);
            var isMarked = seen.Count == story.Cluster.Hosts.Count && seen.All(vip => vip.Safety == mark);
            if (isMarked || limit.IsCancellationRequested)
            {
                story.Say($"{Timeline.Short(address)} is {string.Join('/', seen.Select(vip => vip.Safety).Distinct())}{(seen.FirstOrDefault()?.SafetyReason is { Length: > 0 } reason ? $": {reason}" : "")}");
                story.Expect($"{Timeline.Short(address)} marked {mark} on all nodes", isMarked, why);
                return;
            }
            await tick.WaitForNextTickAsync(cancellationToken);
        }
    }
}
