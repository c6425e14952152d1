using Veredus.Logging;

namespace Veredus.Control;

/// <summary>Finds a command, checks that its user may give it, records that (acctlog <c>Z</c>) and carries it out: for consoles, and for commands that other members delegate.</summary>
/// <param name="commands">What can be asked.</param>
/// <param name="log">acctlog records, and faults of commands.</param>
/// <param name="time">Time stamps.</param>
public sealed class ControlRunner(ControlCommandTable commands, IMailLog log, TimeProvider time)
{
    /// <summary>Carries out one line.</summary>
    /// <param name="session">Whose it is; it has a user.</param>
    /// <param name="authorization">Checks the command; <see langword="null"/>: everything is allowed.</param>
    public ValueTask<ControlAnswer> RunAsync(ControlSession session, ControlAuthorization? authorization, string line, CancellationToken stopping) =>
        !CommandWords.TrySplit(line, out var words, out var error) ? new(ControlAnswer.Error(ControlErrors.Syntax, error))
        : words.Count == 0 ? new(ControlAnswer.Ok())
        : RunAsync(session, authorization, line, words, stopping);

    internal async ValueTask<ControlAnswer> RunAsync(
        ControlSession session, ControlAuthorization? authorization, string line, IReadOnlyList<CommandWord> words, CancellationToken stopping)
    {
        var json = words[0].Text.Equals("json", StringComparison.OrdinalIgnoreCase) ? 1 : 0;
        if (words.Count == json)
            return ControlAnswer.Error(ControlErrors.Syntax, "json is put in front of a command");
        var command = commands.Find(words, json);
        var name = command is null ? words[json].Text : command.Name;
        var first = json + (command?.Words.Length ?? 1);
        var text = first < words.Count ? $"{name} {line[words[first].Start..]}" : name;
        if (!MayRun(session, authorization, text))
            return ControlAnswer.Error(ControlErrors.NotAuthorized, ControlErrors.NotAuthorizedText);
        if (command is null)
        {
            if (commands.Unknown?.Invoke(line[words[json].Start..]) is { } hint)
                return ControlAnswer.Error(ControlErrors.Syntax, hint);
            var near = commands.Nearest(name);
            return ControlAnswer.Error(ControlErrors.Syntax, near.Count > 0
                ? $"there is no command '{line[words[json].Start..]}'; did you mean: {string.Join(", ", near.Take(6))}?"
                : $"there is no command '{name}'; 'help' lists all");
        }
        if (json == 1 && !command.HasJson)
            return ControlAnswer.Error(ControlErrors.Syntax, $"'{command.Name}' has no JSON form");
        var call = new ControlCall(session, command, line[words[json].Start..], [.. words.Skip(first).Select(word => word.Text)],
            RestFrom(0), json == 1)
        { RestFrom = RestFrom };
        return await GuardAsync(call, stopping);

        string RestFrom(int index) => first + index < words.Count ? line[words[first + index].Start..] : "";
    }

    private async ValueTask<ControlAnswer> GuardAsync(ControlCall call, CancellationToken stopping)
    {
        try
        {
            return await call.Command.Handler(call, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            throw;
        }
#pragma warning disable CA1031 // The fence between one command and the node.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            log.Panic(PanicLevel.Error, PanicSubsystems.Error, "control", $"the command '{call.Command.Name}' failed: {exception}");
            return ControlAnswer.Error(ControlErrors.Internal, $"the command failed: {exception.Message.ReplaceLineEndings(" ")} (details in the paniclog)");
        }
    }

    private bool MayRun(ControlSession session, ControlAuthorization? authorization, string text)
    {
        session.Role = "";
        if (authorization is null && session.DelegatedRoles is null)
            return true;
        var role = authorization?.Match(session.DelegatedRoles ?? authorization.RolesOf(session.User), text);
        var isAllowed = authorization is null || role is not null;
        session.Role = role ?? "";
        log.Write(new AuthorizationRecord
        {
            Time = time.GetUtcNow().ToUnixTimeSeconds(),
            Endpoint = session.Endpoint,
            Peer = session.Peer,
            User = session.User,
            Result = isAllowed ? AccountResult.Allowed : AccountResult.Refused,
            Command = text,
            Role = role,
        });
        return isAllowed;
    }
}
