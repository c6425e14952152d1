using System.Globalization;
using System.Net;

namespace Veredus.Demo;

/// <summary>One thing that happened.</summary>
internal sealed record TimelineEntry(DateTimeOffset At, string Text);

/// <summary>
/// What happens in a demo, in order: what the stories and the faults say, and what is seen of the addresses (changes that come close together
/// are one line).
/// </summary>
internal sealed class Timeline : IAsyncDisposable
{
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();
    private readonly List<TimelineEntry> _entries = [];
    private readonly Dictionary<IPAddress, string> _changes = [], _owners = [];
    private readonly Dictionary<IPAddress, int> _silent = [];
    private readonly Action<TimelineEntry> _show;
    private readonly CancellationTokenSource _ending = new();
    private Task _watching = Task.CompletedTask;
    private string _members = "";

    /// <param name="show">Gets each entry at once.</param>
    public Timeline(Action<TimelineEntry> show) => _show = show;

    public IReadOnlyList<TimelineEntry> Entries
    {
        get
        {
            lock (_gate)
                return [.. _entries];
        }
    }

    public void Say(string text)
    {
        var entry = new TimelineEntry(DateTimeOffset.UtcNow, text);
        lock (_gate)
            _entries.Add(entry);
        _show(entry);
    }

    /// <summary>From now on, what is seen of the cluster is written down.</summary>
    public void Watch(DemoCluster cluster)
    {
        cluster.Probe.Changed += (address, node) =>
        {
            lock (_gate)
                _changes[address] = node;
        };
        cluster.Arp.Doubled += seen => Say($"DOUBLE: {string.Join("; ", seen.GroupBy(one => $"{cluster.NameOf(one.One)} and {cluster.NameOf(one.Other)}").Select(pair =>
            $"{string.Join(' ', pair.Select(one => Short(one.Address)))} answered by {pair.Key}"))}");
        foreach (var state in cluster.Probe.States)
            _owners[state.Address] = state.Node;
        _members = string.Join(", ", cluster.Hosts.Select(host => host.Name));
        _watching = WatchAsync(cluster);
    }

    /// <summary><c>.17</c> for 198.18.7.17.</summary>
    public static string Short(IPAddress address) => "." + address.ToString().Split('.')[^1];

    private async Task WatchAsync(DemoCluster cluster)
    {
        using var tick = new PeriodicTimer(Gather);
        try
        {
            while (await tick.WaitForNextTickAsync(_ending.Token))
            {
                await LookAtMembersAsync(cluster);
                TellChanges();
            }
        }
        catch (OperationCanceledException)
        {
            // That is how it ends.
        }
    }

    /// <summary>Tells moves, and silence that lasts longer than one turn; a single probe that was lost is no news.</summary>
    private void TellChanges()
    {
        KeyValuePair<IPAddress, string>[] changes;
        lock (_gate)
        {
            changes = [.. _changes];
            _changes.Clear();
        }
        var moved = new List<KeyValuePair<IPAddress, string>>();
        foreach (var (address, node) in changes)
        {
            if (node.Length == 0)
            {
                _silent.TryAdd(address, 0);
                continue;
            }
            var wasTold = _silent.Remove(address, out var turns) && turns > 1;
            if (wasTold || (_owners.TryGetValue(address, out var before) && before != node))
                moved.Add(new(address, node));
            _owners[address] = node;
        }
        foreach (var address in _silent.Keys)
            _silent[address]++;
        if (_silent.Where(entry => entry.Value == 2).Select(entry => entry.Key).ToArray() is { Length: > 0 } silent)
            Say($"{List(silent)} no answer");
        if (moved.Count > 0)
            Say(string.Join("   ", moved.GroupBy(move => move.Value).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => $"{List(group.Select(move => move.Key))} -> {group.Key}")));
    }

    private static string List(IEnumerable<IPAddress> addresses) => string.Join(' ', addresses.OrderBy(address => address.GetAddressBytes()[3]).Select(Short));

    /// <summary>The members as the first healthy host's node sees them.</summary>
    private async Task LookAtMembersAsync(DemoCluster cluster)
    {
        if (cluster.Healthy.FirstOrDefault() is not { } host || await ClusterView.TryReadAsync(host, _ending.Token) is not { IsOpen: true } view)
            return;
        var members = string.Join(", ", view.Members);
        if (members == _members)
            return;
        var gone = _members.Split(", ").Except(view.Members).ToArray();
        var come = view.Members.Except(_members.Split(", ")).ToArray();
        _members = members;
        Say($"members as {host.Name} sees them: {members}"
            + (gone.Length > 0 ? $" ({string.Join(", ", gone)} out)" : "") + (come.Length > 0 ? $" ({string.Join(", ", come)} in)" : ""));
    }

    /// <summary>Nothing is added by itself any more.</summary>
    public async Task StopAsync()
    {
        await _ending.CancelAsync();
        await _watching;
        TellChanges();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _ending.Dispose();
    }

    /// <summary><c>14:21:07.003</c>.</summary>
    public static string Clock(DateTimeOffset at) => at.UtcDateTime.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
}
