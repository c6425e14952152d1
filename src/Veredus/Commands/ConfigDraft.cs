using Veredus.CommandLine;
using Veredus.Configuration;
using Veredus.Control;

namespace Veredus.Commands;

/// <summary>Options set in the files of the working copy, without a node: the same grammar and the same writing back as on the console.</summary>
internal static class ConfigDraft
{
    public static async Task<int> SetAsync(Call call, string verb, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        var loader = ConfigCommand.Loader(call.Host);
        var main = loader.LocateNodeFile() ?? throw new CliException(ExitCodes.NotFound, "There is no configuration to change here.", "'eccfg bootstrap' makes a working copy.");
        var loaded = loader.Load(main);
        if (loaded.Snapshot is not { } snapshot)
            throw new CliException(ExitCodes.Failed, string.Join('\n', loaded.Errors), "Mend the files first: veredus config edit");
        using var store = new ConfigurationStore(snapshot, loader);
        var console = new ConfigConsole(store);
        var said = await console.ExecuteAsync($"config {verb} {string.Join(' ', words.Select(CommandWords.Quote))}", cancellationToken);
        if (!said.IsOk)
            throw new CliException(ExitCodes.Of(said.Code), said.Text.TrimEnd());
        // Where it is set already, else in the main file.
        var option = words.Count == 0 ? "" : verb == "set" && words.Count > 1 ? words[^2] : words[^1];
        var file = snapshot.Root.Walk().SelectMany(scope => scope.Settings).Where(setting => string.Equals(setting.Option.Name, option, StringComparison.OrdinalIgnoreCase)).Select(setting => setting.Position.File).FirstOrDefault() ?? main;
        var written = await console.ExecuteAsync($"config writeback {CommandWords.Quote(file)}", cancellationToken);
        if (!written.IsOk)
            throw new CliException(ExitCodes.Of(written.Code), written.Text.TrimEnd());
        call.Error.Line(written.Text.TrimEnd());
        return ExitCodes.Done;
    }
}
