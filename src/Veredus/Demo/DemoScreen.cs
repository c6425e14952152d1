using System.Globalization;
using Veredus.CommandLine;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>The live screen: nodes, probe, keys, and the latest events; a key acts on the chosen node.</summary>
internal sealed class DemoScreen(Call call, DemoState state, DemoCluster cluster, Timeline timeline, DemoOptions options)
{
    private const int Events = 12;
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private readonly Queue<TimelineEntry> _events = [];
    private readonly DemoActions _actions = new(cluster, timeline);
    private DemoHost _chosen = cluster.Hosts[0];
    private (DateTimeOffset At, DemoSnapshot Snapshot)? _before;
    private Task _acting = Task.CompletedTask;

    public void Add(TimelineEntry entry)
    {
        lock (_gate)
        {
            _events.Enqueue(entry);
            if (_events.Count > Events)
                _events.Dequeue();
        }
    }

    /// <summary>Shows and obeys until <c>q</c>, Ctrl-C or the end of the time. The terminal is as before afterwards.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var quit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var output = call.Out.Writer;
        output.Write("\e[?1049h\e[?25l");
        try
        {
            using var tick = new PeriodicTimer(Refresh);
            do
            {
                while (Console.KeyAvailable)
                    if (!Obey(Console.ReadKey(intercept: true).KeyChar, quit.Token))
                        return;
                await DrawAsync(quit.Token);
            }
            while (await tick.WaitForNextTickAsync(quit.Token));
        }
        catch (OperationCanceledException)
        {
            // Time is up, or Ctrl-C.
        }
        finally
        {
            output.Write("\e[?25h\e[?1049l");
            output.Flush();
            await quit.CancelAsync();
            await _acting;
        }
    }

    private bool Obey(char key, CancellationToken cancellationToken)
    {
        if (key is 'q' or 'Q' or '\x03')
            return false;
        if (key is >= '1' and <= '9')
            _chosen = key - '0' <= cluster.Hosts.Count ? cluster.Hosts[key - '1'] : _chosen;
        else if (!_acting.IsCompleted)
            Add(new(DateTimeOffset.UtcNow, $"[{key}] waits for what is under way"));
        else
            _acting = _actions.ObeyAsync(key, _chosen, cancellationToken);
        return true;
    }

    private async Task DrawAsync(CancellationToken cancellationToken)
    {
        var (now, snapshot) = (call.Now, await DemoSnapshot.TakeAsync(cluster, cancellationToken));
        var text = new StringWriter(CultureInfo.InvariantCulture);
        var screen = new Screen(text, isTerminal: true, call.Out.Toned("x", Tone.Bad).Length > 1, call.Out.Width);
        screen.Line($"demo {state.Id}   isolation {state.Isolation}   stops at {state.Stops.ToLocalTime().ToString("HH:mm", CultureInfo.InvariantCulture)} (--for)");
        screen.Line($"  sender {options.Rate:0}/s -> sink-a, sink-b (sink-b defers 10 %)   inside: veredus --socket {_chosen.ControlSocket} vip list", Tone.Dim);
        screen.Line();
        foreach (var node in snapshot.Nodes)
            Draw(screen, node, now, _before);
        var isWhole = snapshot.Answering == snapshot.AddressCount;
        screen.Line();
        screen.Write($"   probe  every {DemoOptions.ProbeInterval.TotalMilliseconds:0} ms to all {snapshot.AddressCount} addresses: ");
        screen.Write($"{snapshot.Answering} answer", isWhole ? Tone.Good : Tone.Bad);
        screen.Line(string.Create(CultureInfo.InvariantCulture, $"   longest gap {snapshot.LongestGapSeconds:0.000} s   accepted {Human.Count(snapshot.Mail.Accepted)}   delivered {Human.Count(snapshot.Mail.Delivered)}   twice {snapshot.Mail.Twice}   double {snapshot.Doubles}"));
        screen.Line();
        screen.Line($" {DemoActions.Help}", Tone.Strong);
        screen.Line();
        lock (_gate)
            foreach (var entry in _events)
                screen.Line($" {Timeline.Clock(entry.At)}  {entry.Text}");
        _before = (now, snapshot);
        // Each line is cleared behind its text, and the rest of the screen at the end: no flicker.
        call.Out.Writer.Write($"\e[H{string.Concat(text.ToString().TrimEnd().Split('\n').Select(line => $"{line.TrimEnd('\r')}\e[K\r\n"))}\e[J");
        await call.Out.Writer.FlushAsync(cancellationToken);
    }

    private void Draw(Screen screen, NodeLine node, DateTimeOffset now, (DateTimeOffset At, DemoSnapshot Snapshot)? before)
    {
        var (seconds, earlier) = before is { } then ? ((now - then.At).TotalSeconds, then.Snapshot.Nodes.First(known => known.Name == node.Name)) : (0, node);
        double Rate(long current, long past) => seconds > 0 && current >= past ? (current - past) / seconds : 0;
        screen.Write(_chosen.Name == node.Name ? " > " : "   ", Tone.Strong);
        screen.Write($"{node.Name}  ");
        screen.Write($"{(node.State == "up" ? "●" : "x")} {node.State,-9}", node.State == "up" ? Tone.Good : node.State == "draining" ? Tone.Warning : Tone.Bad);
        screen.Line(string.Create(CultureInfo.InvariantCulture,
            $"{string.Join(' ', node.Addresses),-30}  in {Rate(node.Received, earlier.Received),4:0}/s  out {Rate(node.Delivered, earlier.Delivered),4:0}/s  queue {node.Queue,5}"));
    }
}
