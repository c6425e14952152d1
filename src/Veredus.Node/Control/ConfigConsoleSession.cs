using Veredus.Configuration;
using Veredus.Control;
using Veredus.Control.Commands;
using Veredus.Logging;

namespace Veredus.Node.Control;

/// <summary>The <c>config</c> commands of one console session, on the daemon's live configuration.</summary>
internal sealed class ConfigConsoleSession(ConfigurationStore configuration, IMailLog log) : IConfigConsole
{
    private readonly ConfigConsole _console = new(configuration);

    public async ValueTask<ControlAnswer> RunAsync(string text, bool json, CancellationToken cancellationToken)
    {
        if (text.Length == 0)
            return ControlAnswer.Error(ControlErrors.Syntax, "usage:", ConfigConsole.Help.Split('\n'));
        var answer = Answer(json ? await _console.ExecuteJsonAsync("config " + text, cancellationToken) : await _console.ExecuteAsync("config " + text, cancellationToken));
        // Whatever changes the node leaves a trace for its operators (configuration.md 10).
        if (answer.Code != 0 && answer.Text.EndsWith("Reconfigure failed.", StringComparison.Ordinal))
            log.Panic(PanicLevel.Error, PanicSubsystems.Start, "", string.Join(' ', answer.Lines.Append(answer.Text)));
        return answer;
    }

    public async ValueTask<ControlAnswer> WriteAsync(string? file, CancellationToken cancellationToken) =>
        Answer(await _console.ExecuteAsync(file is null ? "write config" : $"write config {CommandWords.Quote(file)}", cancellationToken));

    public void Dispose()
    {
        // An open transaction is only here: it goes with the session.
    }

    private static ControlAnswer Answer(ConsoleResult result)
    {
        if (result.IsOk)
            return ControlAnswer.Body(result.Text);
        var lines = result.Text.TrimEnd('\n').Split('\n');
        return ControlAnswer.Error(result.Code, lines[^1], lines[..^1]);
    }
}
