using System.Text.Json;
using Veredus.CommandLine;
using Veredus.Output;
using Veredus.Setup;

namespace Veredus.Commands;

/// <summary>What <c>veredus setup node</c> and <c>setup manager</c> do alike: show the files, ask, write them, start the units or say how.</summary>
internal static class SetupSteps
{
    /// <param name="question">Before anything is written; <see langword="null"/>: the administrator has said so already, with a token.</param>
    /// <returns>What was written, one line a file; <see langword="null"/>: nothing, this is a dry run.</returns>
    public static async Task<IReadOnlyList<string>?> WriteAsync(Call call, FileChanges changes, string? question, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> plan = [.. changes.Describe()];
        if (!call.IsJson || !call.Parse.GetValue(GlobalOptions.Yes))
            foreach (var line in plan)
                call.Error.Line($"  {line}");
        if (call.Parse.GetValue(GlobalOptions.DryRun))
            return null;
        if (question is not null)
            await call.ConfirmAsync(question, call.Parse.GetValue(GlobalOptions.Yes), cancellationToken);
        changes.Apply(cancellationToken);
        return plan;
    }

    /// <summary>A JSON array of texts.</summary>
    public static string Json(IEnumerable<string> texts) => $"[{string.Join(',', texts.Select(text => $"\"{JsonEncodedText.Encode(text)}\""))}]";

    /// <summary>What the administrator types next, one command a line.</summary>
    public static void Next(Call call, params IEnumerable<string> commands)
    {
        foreach (var (i, command) in commands.Index())
            call.Error.Line($"{(i == 0 ? "next: " : "      ")}{command}", Tone.Strong);
    }

    /// <param name="steps">Words for systemctl.</param>
    public static async Task StartAsync(CancellationToken cancellationToken, params IEnumerable<string[]> steps)
    {
        foreach (var words in steps)
            if (await Systemd.RunAsync("systemctl", words, cancellationToken) is (not 0, var said))
                throw new CliException(ExitCodes.Failed, $"systemctl {string.Join(' ', words)}: {said}", "Everything is written; start it when this is mended.");
    }
}
