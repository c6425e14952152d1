using System.Globalization;
using System.Net;
using Veredus.CommandLine;
using Veredus.Commands;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Output;

namespace Veredus.Demo;

/// <summary>What <c>demo</c> shows where no addresses can move: one node on loopback that moves mail.</summary>
internal static class LoopbackShow
{
    public static async Task<int> RunAsync(Call call, int rate, TimeSpan length, CancellationToken cancellationToken)
    {
        using var until = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ledger = new MailLedger();
        await using var sink = new DemoSink("sink.demo", new(IPAddress.Loopback, 0), deferEvery: 0, ledger);
        await using var node = LoopbackNode.Create(sink.Port);
        await node.StartAsync(cancellationToken);
        until.CancelAfter(length);
        var (screen, stops) = (call.Out, call.Host.Time.GetLocalNow() + length);
        if (!call.IsJson)
        {
            screen.Line($"demo   one node on loopback: no addresses move here   stops at {stops.ToString("HH:mm", CultureInfo.InvariantCulture)} (--for), or with Ctrl-C");
            screen.Line($"  sender {rate}/s -> 127.0.0.1:{node.SmtpPort} node (process {node.ProcessId}) -> receiver 127.0.0.1:{sink.Port}");
            screen.Line($"  look inside:  veredus --socket {node.ControlSocket} status");
            screen.Line($"                veredus console {node.ControlSocket}");
            screen.Line($"                tail -f {Path.Combine(node.Directory, "mainlog.ec")}");
            screen.Line();
        }
        await using var load = new MailLoad([new(IPAddress.Loopback, node.SmtpPort)], rate, ledger, "sink.demo");
        load.Start();
        try
        {
            await ShowAsync(call, node, ledger, until.Token);
        }
        catch (OperationCanceledException)
        {
            // Time is up, or Ctrl-C: either way it is over in good order.
        }
        await load.StopAsync();
        var mail = ledger.Count();
        if (!call.IsJson)
            screen.Line($"\nsent {Human.Count(mail.Accepted)}, delivered {Human.Count(mail.Delivered)}; the demo's directory and processes are removed");
        return ExitCodes.Done;
    }

    /// <summary>Counters every second: one line that changes on a terminal, a line each 10 s elsewhere.</summary>
    private static async Task ShowAsync(Call call, LoopbackNode node, MailLedger ledger, CancellationToken cancellationToken)
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
            var line = $"in {Human.Count(summary.ReceivedMessages)}   out {Human.Count(summary.DeliveredMessages)}   queue {Human.Count(summary.TotalQueueSize)}   arrived {Human.Count(ledger.Different)}";
            if (call.Out.IsTerminal)
                call.Out.Writer.Write($"\r\e[K  {line}");
            else
                call.Out.Line($"{call.Now.UtcDateTime.ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture)}  {line}");
        }
    }
}
