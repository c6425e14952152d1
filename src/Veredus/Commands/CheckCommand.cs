using System.CommandLine;
using System.Globalization;
using Veredus.CommandLine;

namespace Veredus.Commands;

/// <summary>One line for monitoring, by the plug-ins' convention: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.</summary>
internal static class CheckCommand
{
    private static readonly Option<long?> WarnQueue = new("--warn-queue") { Description = "WARNING from this many messages on", HelpName = "N" };
    private static readonly Option<long?> CriticalQueue = new("--crit-queue") { Description = "CRITICAL from this many messages on", HelpName = "N" };

    public static Command Build(CliHost host) => CommandTree.Leaf(host, "check", "One line for monitoring",
        ["veredus check", "veredus check --warn-queue 10000 --crit-queue 100000"], RunAsync, WarnQueue, CriticalQueue);

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        StatusCommand.Snapshot snapshot;
        try
        {
            snapshot = await StatusCommand.AskAsync(call, cancellationToken);
        }
        catch (CliException exception)
        {
            var down = exception.ExitCode == ExitCodes.Unreachable;
            call.Out.Line($"VEREDUS {(down ? "CRITICAL" : "UNKNOWN")} - {exception.Message.ReplaceLineEndings(" ").Replace('|', '/')}");
            return down ? 2 : 3;
        }
        var queue = snapshot.Summary.TotalQueueSize;
        var problems = snapshot.Problems(call.Now);
        var trouble = problems.Where(problem => problem.IsTrouble).ToList();
        var isCritical = queue >= call.Parse.GetValue(CriticalQueue) || problems.Any(problem => problem.Severity == "ERROR");
        var isWarning = queue >= call.Parse.GetValue(WarnQueue) || trouble.Count > 0;
        var text = trouble.Count > 0 ? $"{trouble.Count} problems: {trouble[0].Text}" : $"{queue} messages queued";
        call.Out.Line(string.Create(CultureInfo.InvariantCulture,
            $"VEREDUS {(isCritical ? "CRITICAL" : isWarning ? "WARNING" : "OK")} - {text.ReplaceLineEndings(" ").Replace('|', '/')} | queue={queue};{call.Parse.GetValue(WarnQueue)};{call.Parse.GetValue(CriticalQueue)} active={snapshot.Summary.ActiveQueueSize} delayed={snapshot.Summary.DelayedQueueSize} received={snapshot.Summary.ReceivedMessages}c delivered={snapshot.Summary.DeliveredMessages}c failed={snapshot.Summary.FailedMessages}c"));
        return isCritical ? 2 : isWarning ? 1 : 0;
    }
}
