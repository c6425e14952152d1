using System.Globalization;

namespace Veredus.Control.Commands;

/// <summary>The commands of mta.md 9.4 that take other spools over.</summary>
public sealed class SpoolCommands(ISpoolConsole spool)
{
    public IEnumerable<ControlCommand> Commands =>
    [
        new("spool import", "PATH [concurrency] [suppress_trace_headers]", "takes another spool over", ImportAsync),
        new("spool takeover", "NODE PATH", "takes the spool of a node that is dead over: its mail goes on from here", TakeOverAsync),
        new("spool import_poll", "PATH", "how far an import is", Poll) { HasJson = true },
        new("spool_in", "ID", "loads one message of the own spool that is in no queue", SpoolIn),
    ];

    private async ValueTask<ControlAnswer> ImportAsync(ControlCall call, CancellationToken cancellationToken)
    {
        var words = call.Arguments;
        var concurrency = 1;
        var suppress = words.Count == 3 && words[2].Equals("suppress_trace_headers", StringComparison.OrdinalIgnoreCase);
        if (words.Count is 0 or > 3 || (words.Count == 3 && !suppress)
            || (words.Count > 1 && (!int.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out concurrency) || concurrency is < 1 or > 64)))
        {
            return ControlAnswer.Usage(call.Command);
        }
        return await spool.StartImportAsync(words[0], concurrency, suppress, cancellationToken) is { } error
            ? ControlAnswer.Error(ControlErrors.Conflict, error)
            : ControlAnswer.Ok($"import of {words[0]} started; 'spool import_poll {words[0]}' shows how far it is");
    }

    private async ValueTask<ControlAnswer> TakeOverAsync(ControlCall call, CancellationToken cancellationToken) => call.Arguments is not [var node, var path]
        ? ControlAnswer.Usage(call.Command)
        : await spool.StartTakeOverAsync(node, path, cancellationToken) is { } error ? ControlAnswer.Error(ControlErrors.Conflict, error)
        : ControlAnswer.Ok($"takeover of {node}'s spool {path} started; 'spool import_poll {path}' shows how far it is");

    private ValueTask<ControlAnswer> Poll(ControlCall call, CancellationToken cancellationToken)
    {
        if (call.Arguments is not [var path])
            return new(ControlAnswer.Usage(call.Command));
        return spool.ImportProgress(path) is not { } progress ? new(ControlAnswer.NotFound($"nothing was imported from '{path}' since the start"))
            : QueueCommands.Answer(call, progress, import => [string.Create(CultureInfo.InvariantCulture,
                $"{import.Path}: {import.Imported} of {import.Found} imported, {import.Failed} failed, {(import.Error is { } error ? "stopped: " + error : import.IsDone ? "done" : "running")}")]);
    }

    private async ValueTask<ControlAnswer> SpoolIn(ControlCall call, CancellationToken cancellationToken) => call.Arguments is not [var id]
        ? ControlAnswer.Usage(call.Command)
        : await spool.SpoolInAsync(id, cancellationToken) is { } error ? ControlAnswer.NotFound(error) : ControlAnswer.Ok($"{id} queued");
}
