using System.CommandLine;
using Veredus.CommandLine;
using Veredus.Control;
using ConfigurationLoader = Veredus.Configuration.ConfigurationLoader;
using ConfigurationSnapshot = Veredus.Configuration.ConfigurationSnapshot;
using ConfigurationTools = Veredus.Configuration.ConfigurationTools;
using DiskFiles = Veredus.Configuration.DiskFiles;
using SearchPath = Veredus.Configuration.SearchPath;

namespace Veredus.Commands;

/// <summary>The configuration of the local node: in files, and as it runs.</summary>
internal static class ConfigCommand
{
    private static readonly Option<string?> File = new("-c", "--config") { Description = "Main configuration file", HelpName = "FILE" };
    private static readonly Option<bool> Local = new("--local") { Description = "Only the files of this host; the only form without a manager" };
    private static readonly Option<bool> Recursive = new("--recursive", "-r") { Description = "The whole parsed configuration as JSON" };
    private static readonly Option<string?> Output = new("-f", "--output") { Description = "Write to this file", HelpName = "FILE" };
    private static readonly Argument<string[]> Words = new("[SCOPE...] OPTION") { Description = "e.g. binding news-b max_outbound_connections", Arity = ArgumentArity.ZeroOrMore };

    public static Command Build(CliHost host) => new("config", "The configuration of the local node")
    {
        CommandTree.Leaf(host, "validate", "Checks the files", ["veredus config validate", "veredus config validate -c /tmp/new.conf"], ValidateAsync, File, Local),
        CommandTree.Leaf(host, "show", "A scope of the running node; with --recursive the parsed files", ["veredus config show binding news-b", "veredus config show --recursive"], ShowAsync, File, Recursive, Output, Words),
        CommandTree.Leaf(host, "get", "The value that is in force, and where it comes from", ["veredus config get max_outbound_connections", "veredus config get binding news-b gateway"],
            (call, stop) => NodeAsync(call, "eval --explain", "eval", stop), Words),
        CommandTree.Leaf(host, "set", "Changes the running node; 'config writeback' keeps it", ["veredus config set domain example.net max_outbound_connections 4", "veredus config set suspend_delivery true"],
            (call, stop) => NodeAsync(call, "set", "set", stop), Words),
        CommandTree.Leaf(host, "unset", "Takes a setting back", ["veredus config unset suspend_delivery", "veredus config unset domain example.net max_outbound_connections"],
            (call, stop) => NodeAsync(call, "unset", "unset", stop), Words),
        CommandTree.Leaf(host, "reload", "Reads the files again; a bad file changes nothing", ["veredus config reload", "veredus config reload --json"], (call, stop) => NodeAsync(call, "reload", "reload", stop)),
        CommandTree.Leaf(host, "writeback", "Writes changes made at run time to the files", ["veredus config writeback", "veredus config writeback --json"], (call, stop) => NodeAsync(call, "writeback", "writeback", stop)),
    };

    /// <summary>Reads configurations along the search path of this host.</summary>
    public static ConfigurationLoader Loader(CliHost host) =>
        new(new DiskFiles(), SearchPath.Create("/etc/veredus", environment: host.Environment));

    private static Task<int> ValidateAsync(Call call, CancellationToken cancellationToken)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var exitCode = ConfigurationTools.Validate(Loader(call.Host), MainFile(call), output, errors);
        if (call.IsJson)
        {
            var findings = errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => $"\"{System.Text.Json.JsonEncodedText.Encode(line)}\"");
            call.Json("veredus.config.validate/1", "", $"{{\"valid\":{(exitCode == 0 ? "true" : "false")},\"findings\":[{string.Join(',', findings)}]}}");
            return Task.FromResult(exitCode);
        }
        foreach (var line in errors.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            call.Error.Line(line);
        foreach (var line in output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            call.Out.Line(line);
        return Task.FromResult(exitCode);
    }

    private static async Task<int> ShowAsync(Call call, CancellationToken cancellationToken)
    {
        if (!call.Parse.GetValue(Recursive))
            return await NodeAsync(call, "show", "show", cancellationToken);
        var snapshot = Load(call, File);
        var json = ConfigurationTools.DumpJson(snapshot);
        if (call.Parse.GetValue(Output) is { } target)
            await System.IO.File.WriteAllTextAsync(target, json + "\n", cancellationToken);
        else if (call.IsJson)
            call.Json("veredus.config/1", "", json);
        else
            call.Out.Line(json);
        return ExitCodes.Done;
    }

    /// <summary>Asks the running node.</summary>
    private static async Task<int> NodeAsync(Call call, string verb, string jsonVerb, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var words = string.Join(' ', (call.Parse.GetValue(Words) ?? []).Select(word => word is "(" or ")" or "=" ? word : CommandWords.Quote(word)));
        var command = $"config {(call.IsJson ? jsonVerb : verb)} {words}".TrimEnd();
        var reply = await call.AskAsync(client, call.IsJson ? "json " + command : command, cancellationToken);
        if (call.IsJson)
            call.Json($"veredus.config.{jsonVerb}/1", client.HostName, reply.Body);
        else
            reply.Lines.ToList().ForEach(line => call.Out.Line(line));
        return ExitCodes.Done;
    }

    /// <summary>The configuration as it stands in the files; findings go to standard error.</summary>
    /// <exception cref="CliException">There is none, or it is not valid.</exception>
    public static ConfigurationSnapshot Load(Call call, Option<string?> option)
    {
        var loader = Loader(call.Host);
        var main = MainFile(call, option) is { } file ? loader.Locate(file) : loader.LocateNodeFile();
        if (main is null)
            throw new CliException(ExitCodes.Usage, MainFile(call, option) is { } missing ? $"No configuration found: {missing}" : "No configuration found", "Give -c FILE, or put veredus.conf in /etc/veredus.");
        var loaded = loader.Load(main);
        foreach (var finding in loaded.Diagnostics)
            call.Error.Line(finding.ToString());
        return loaded.Snapshot ?? throw new CliException(ExitCodes.Failed, $"{main} is not valid.", "Mend what is named above; 'veredus config validate' checks it.");
    }

    private static string? MainFile(Call call) => MainFile(call, File);

    /// <summary>The file that the operator names, from where the operator stands; null: the one along the search path.</summary>
    public static string? MainFile(Call call, Option<string?> option) =>
        (call.Parse.GetValue(option) ?? call.Host.Environment("VEREDUS_CONFFILE")) is { Length: > 0 } file ? Path.GetFullPath(file) : null;
}
