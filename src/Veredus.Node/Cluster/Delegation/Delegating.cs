using Veredus.Cluster;
using Veredus.Control;

namespace Veredus.Node;

/// <summary>Gives a command to nodes and waits for what comes, for consoles of managers and of nodes.</summary>
/// <param name="delegation">Of this process; <see langword="null"/> while there is none.</param>
/// <param name="authorization">The roles of users here.</param>
public sealed class Delegating(Func<Delegation?> delegation, Func<ControlAuthorization?> authorization, TimeProvider time)
{
    /// <summary>How long a console waits unless told otherwise.</summary>
    public static readonly TimeSpan DefaultWait = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_longestWait = TimeSpan.FromHours(1);

    /// <summary><c>delegate [--wait s] [--on all|SC|N,N] [--subcluster c] [--node n] cmd</c> (cluster.md 10).</summary>
    public ControlCommand Command => new("delegate", "[--wait S] [--on all|SUBCLUSTER|NODE,NODE] [--subcluster SC] [--node N] COMMAND", "gives a command to nodes and prints their answers", DelegateAsync) { HasJson = true };

    /// <summary>Gives a command and answers with what came within the time.</summary>
    public async ValueTask<ControlAnswer> RunAsync(ControlCall call, DelegationTarget target, string command, TimeSpan wait, CancellationToken cancellationToken)
    {
        if (command.Length == 0)
            return ControlAnswer.Usage(call.Command);
        if (delegation() is not { } here)
            return ControlAnswer.Error(ControlErrors.Conflict, "this process is in no cluster; its configuration has no cluster stanza");
        var begun = time.GetTimestamp();
        var answers = new List<TimedAnswer>();
        try
        {
            await foreach (var answer in here.RunAsync(target, command, new(call.Session.User, authorization()?.RolesOf(call.Session.User) ?? []), wait, cancellationToken))
                answers.Add(new(answer, time.GetElapsedTime(begun)));
        }
        catch (DelegationException e)
        {
            return ControlAnswer.Error(ControlErrors.Conflict, e.Message);
        }
        catch (ArgumentException e)
        {
            return ControlAnswer.Error(ControlErrors.Syntax, e.Message);
        }
        if (answers.All(one => one.Answer.State is AnswerState.Absent) && target is DelegationTarget.Nodes(var names))
            return ControlAnswer.NotFound($"{string.Join(", ", names)}: no such node in the cluster; there are: {string.Join(' ', Names(here))}");
        var report = new DelegationReport(command, wait, answers);
        IEnumerable<string> lines = call.Json ? [report.Json()] : report.Lines();
        return report.Code == 0 ? ControlAnswer.Body(lines) : ControlAnswer.Error(report.Code, report.Problem, lines);
    }

    /// <summary>The nodes of the cluster, by name.</summary>
    public static IEnumerable<string> Names(Delegation delegation) => delegation.Membership.Members.Select(member => member.Hello)
        .Where(hello => hello?.Kind is MemberKind.Veredus).Select(hello => hello!.NodeName).Order(StringComparer.Ordinal);

    private async ValueTask<ControlAnswer> DelegateAsync(ControlCall call, CancellationToken cancellationToken)
    {
        var (target, wait, at) = (DelegationTarget.All, DefaultWait, 0);
        for (; at + 1 < call.Arguments.Count && call.Arguments[at].StartsWith("--", StringComparison.Ordinal); at += 2)
        {
            var value = call.Arguments[at + 1];
            switch (call.Arguments[at])
            {
                case "--wait" when double.TryParse(value, System.Globalization.CultureInfo.InvariantCulture, out var seconds) && seconds > 0 && seconds <= s_longestWait.TotalSeconds:
                    wait = TimeSpan.FromSeconds(seconds);
                    break;
                case "--wait":
                    return ControlAnswer.Error(ControlErrors.Syntax, $"--wait takes seconds, more than 0 and at most {s_longestWait.TotalSeconds:0}; not '{value}'");
                case "--subcluster":
                    target = new DelegationTarget.OfSubcluster(value.ToLowerInvariant());
                    break;
                case "--node":
                    target = new DelegationTarget.Nodes(Split(value));
                    break;
                case "--on" when delegation() is { } here:
                    target = Meant(value, here.Membership);
                    break;
                default:
                    return ControlAnswer.Usage(call.Command);
            }
        }
        return await RunAsync(call, target, call.RestFrom(at), wait, cancellationToken);
    }

    /// <summary><c>all</c>, a subcluster, or nodes: a word that is both is the node.</summary>
    private static DelegationTarget Meant(string text, ClusterMembership membership)
    {
        if (text == "all")
            return DelegationTarget.All;
        var isNode = membership.Find(text) is not null;
        return !isNode && membership.Members.Any(member => member.Hello is { Kind: MemberKind.Veredus } hello && hello.Subcluster == text)
            ? new DelegationTarget.OfSubcluster(text) : new DelegationTarget.Nodes(Split(text));
    }

    private static string[] Split(string names) => names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
