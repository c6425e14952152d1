using System.CommandLine;
using System.Globalization;
using Veredus.CommandLine;
using Veredus.Commands;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>A node that moves mail, on this machine, for a look.</summary>
internal static class DemoCommand
{
    private const int MaxRate = 200;

    private static readonly Option<string> For = new("--for") { Description = "Stops by itself after this time: 90s, 10m, 1h", HelpName = "D", DefaultValueFactory = _ => "30m" };
    private static readonly Option<int> Rate = new("--rate") { Description = $"Messages a second, up to {MaxRate}", HelpName = "N", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Messages = new("--messages") { Description = "Messages to send, up to 1,000,000", HelpName = "N", DefaultValueFactory = _ => 2000 };
    private static readonly Option<string> Limit = new("--limit") { Description = "Time for all of it", HelpName = "D", DefaultValueFactory = _ => "5m" };
    private static readonly Argument<string> Script = new("SCRIPT") { Description = "relay" };

    public static Command Build(CliHost host)
    {
        Script.AcceptOnlyFromAmong("relay");
        var demo = CommandTree.Leaf(host, "demo", "A node that moves mail, on this machine, for a look; removes everything at its end",
            ["veredus demo", "veredus demo --for 1m --rate 100", "veredus demo run relay --json"], RunAsync, For, Rate);
        demo.Subcommands.Add(CommandTree.Leaf(host, "run", "Plays a story without a terminal and checks it: exit 0, or 20 when an expectation was broken",
            ["veredus demo run relay", "veredus demo run relay --messages 10000 --json"], RunScriptAsync, Script, Messages, Limit));
        return demo;
    }

    /// <summary>Reads <c>90s</c>, <c>10m</c>, <c>1h</c>; a bare number is seconds.</summary>
    public static TimeSpan Duration(string text)
    {
        var unit = text.Length > 0 ? text[^1] : ' ';
        var number = char.IsAsciiLetter(unit) ? text[..^1] : text;
        var seconds = unit switch { 'm' => 60, 'h' => 3600, 'd' => 86_400, 's' or (>= '0' and <= '9') => 1, _ => 0 };
        return seconds > 0 && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is > 0 and < 1_000_000
            ? TimeSpan.FromSeconds((double)count * seconds)
            : throw new CliException(ExitCodes.Usage, $"'{text}' is not a duration.", "Give a number with s, m, h or d: 90s, 10m, 1h.");
    }

    private static Task<int> RunScriptAsync(Call call, CancellationToken cancellationToken)
    {
        var messages = call.Parse.GetValue(Messages);
        if (messages is < 2 or > 1_000_000)
            throw new CliException(ExitCodes.Usage, $"--messages {messages}: give 2 to 1,000,000.");
        return new RelayScript(call).RunAsync(messages, Duration(call.Parse.GetValue(Limit)!), cancellationToken);
    }

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        var (rate, length) = (call.Parse.GetValue(Rate), Duration(call.Parse.GetValue(For)!));
        if (rate is < 1 or > MaxRate)
            throw new CliException(ExitCodes.Usage, $"--rate {rate}: give 1 to {MaxRate}.");
        using var until = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var sink = new DemoSink();
        await using var node = DemoNode.Create(sink.Port);
        await node.StartAsync(cancellationToken);
        until.CancelAfter(length);
        var (screen, stops) = (call.Out, call.Host.Time.GetLocalNow() + length);
        if (!call.IsJson)
        {
            screen.Line($"demo   one node on loopback   stops at {stops.ToString("HH:mm", CultureInfo.InvariantCulture)} (--for), or with Ctrl-C");
            screen.Line($"  sender {rate}/s -> 127.0.0.1:{node.SmtpPort} node (process {node.ProcessId}) -> receiver 127.0.0.1:{sink.Port}");
            screen.Line($"  look inside:  veredus --socket {node.ControlSocket} status");
            screen.Line($"                veredus console {node.ControlSocket}");
            screen.Line($"                tail -f {Path.Combine(node.Directory, "mainlog.ec")}");
            screen.Line();
        }
        var sender = new Pace(node.SmtpPort, rate);
        var sending = sender.RunAsync(until.Token);
        try
        {
            await ShowAsync(call, node, sink, sender, until.Token);
        }
        catch (OperationCanceledException)
        {
            // Time is up, or Ctrl-C: either way it is over in good order.
        }
        catch (CliException) when (until.IsCancellationRequested)
        {
            // A terminal's Ctrl-C reaches the node as well; it may be gone first.
        }
        await until.CancelAsync();
        await sending;
        if (!call.IsJson)
            screen.Line($"\nsent {Human.Count(sender.Accepted)}, delivered {Human.Count(sink.Different)}; the demo's directory and processes are removed");
        return ExitCodes.Done;
    }

    /// <summary>Counters every second: one line that changes on a terminal, a line each 10 s elsewhere.</summary>
    private static async Task ShowAsync(Call call, DemoNode node, DemoSink sink, Pace sender, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken, ControlEndpoint.Unix(node.ControlSocket));
        using var tick = new PeriodicTimer(TimeSpan.FromSeconds(1), call.Host.Time);
        for (var second = 1; await tick.WaitForNextTickAsync(cancellationToken); second++)
        {
            var isShown = call.Out.IsTerminal || second == 1 || second % 10 == 0;
            if (!isShown)
                continue;
            var json = (await call.AskAsync(client, "json summary", cancellationToken)).Body;
            if (call.IsJson)
            {
                call.Json("veredus.demo/1", client.HostName, json);
                continue;
            }
            var summary = StatusCommand.Read<NodeSummary>(json);
            var line = $"in {Human.Count(summary.ReceivedMessages)}   out {Human.Count(summary.DeliveredMessages)}   queue {Human.Count(summary.TotalQueueSize)}   arrived {Human.Count(sink.Different)}   refused {sender.Refused}";
            if (call.Out.IsTerminal)
                call.Out.Writer.Write($"\r\e[K  {line}");
            else
                call.Out.Line($"{call.Now.UtcDateTime.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture)}  {line}");
        }
    }

    /// <summary>Sends at a steady, bounded rate.</summary>
    private sealed class Pace(int port, int rate)
    {
        private int _accepted;
        private int _refused;

        public int Accepted => Volatile.Read(ref _accepted);

        public int Refused => Volatile.Read(ref _refused);

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            await using var sender = new DemoSender(port, 2048);
            using var tick = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / rate));
            try
            {
                for (var number = 0; await tick.WaitForNextTickAsync(cancellationToken); number++)
                    _ = await sender.SendAsync(number, cancellationToken) ? Interlocked.Increment(ref _accepted) : Interlocked.Increment(ref _refused);
            }
            catch (OperationCanceledException)
            {
                // The demo is over.
            }
        }
    }
}
