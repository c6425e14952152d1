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
    private static readonly Option<bool> Draft = new("--draft") { Description = "Changes the working copy's files, for 'veredus config commit'; the running node stays as it is" };
    private static readonly Option<string?> Binding = new("--binding") { Description = "In this binding", HelpName = "NAME" };
    private static readonly Option<string?> Domain = new("--domain") { Description = "For this domain", HelpName = "NAME" };
    private static readonly Argument<string[]> Words = new("[SCOPE...] OPTION") { Description = "e.g. binding news-b max_outbound_connections", Arity = ArgumentArity.ZeroOrMore };

    public static Command Build(CliHost host)
    {
        var command = BuildLocal(host);
        foreach (var sub in ConfigRepositoryCommands.Build(host))
            command.Subcommands.Add(sub);
        return command;
    }

    private static Command BuildLocal(CliHost host) => new("config", "The configuration: of the running node, of the working copy, of the cluster")
    {
        CommandTree.Leaf(host, "validate", "Checks the files", ["veredus config validate", "veredus config validate -c /tmp/new.conf"], ValidateAsync, File, Local),
        CommandTree.Leaf(host, "show", "A scope of the running node; with --recursive the parsed files", ["veredus config show binding news-b", "veredus config show --recursive"], ShowAsync, File, Recursive, Output, Words),
        CommandTree.Leaf(host, "get", "The value that is in force, and where it comes from", ["veredus config get max_outbound_connections", "veredus config get binding news-b gateway"],
            (call, stop) => NodeAsync(call, "eval --explain", "eval", stop), Words),
        CommandTree.Leaf(host, "set", "Changes the running node; 'config writeback' keeps it", ["veredus config set domain example.net max_outbound_connections 4", "veredus config set suspend_delivery true"],
            (call, stop) => call.Parse.GetValue(Draft) ? ConfigDraft.SetAsync(call, "set", [.. ScopeWords(call), .. call.Parse.GetValue(Words) ?? []], stop) : NodeAsync(call, "set", "set", stop), Draft, Binding, Domain, Words),
        CommandTree.Leaf(host, "unset", "Takes a setting back", ["veredus config unset suspend_delivery", "veredus config unset domain example.net max_outbound_connections"],
            (call, stop) => call.Parse.GetValue(Draft) ? ConfigDraft.SetAsync(call, "unset", [.. ScopeWords(call), .. call.Parse.GetValue(Words) ?? []], stop) : NodeAsync(call, "unset", "unset", stop), Draft, Binding, Domain, Words),
        CommandTree.Leaf(host, "reload", "Reads the files again; a bad file changes nothing", ["veredus config reload", "veredus config reload --json"], (call, stop) => NodeAsync(call, "reload", "reload", stop)),
        CommandTree.Leaf(host, "writeback", "Writes changes made at run time to the files", ["veredus config writeback", "veredus config writeback --json"], (call, stop) => NodeAsync(call, "writeback", "writeback", stop)),
    };

    /// <summary>Where <c>cluster.boot</c> and the working copy lie.</summary>
    public static string Etc(CliHost host) => host.Environment("VEREDUS_ETC") is { Length: > 0 } etc ? etc : "/etc/veredus";

    /// <summary>The identity of <c>cluster.boot</c> as environment of this process and those it starts; what is set already stays.</summary>
    public static void ExportIdentity(CliHost host)
    {
        if (ConfigServer.AutoPull.ReadBoot(Etc(host)) is not { } boot)
            return;
        foreach (var (name, value) in new[] { ("EC_NODE_NAME", boot.NodeName), ("VEREDUS_NODE_NAME", host.Environment("EC_NODE_NAME") ?? boot.NodeName), ("EC_SUB_CLUSTER", boot.ClusterName) })
            if (string.IsNullOrEmpty(host.Environment(name)))
                Environment.SetEnvironmentVariable(name, value);
    }

    /// <summary>Reads configurations along the search path of this host, by the node name of its <c>cluster.boot</c>.</summary>
    /// <exception cref="CliException">There is one, and it is wrong.</exception>
    public static ConfigurationLoader Loader(CliHost host)
    {
        try
        {
            var name = host.Environment("VEREDUS_NODE_NAME") ?? host.Environment("EC_NODE_NAME") ?? ConfigServer.AutoPull.ReadBoot(Etc(host))?.NodeName;
            return new(new DiskFiles(), SearchPath.Create(Etc(host), name, host.Environment));
        }
        catch (Exception exception) when (exception is ConfigServer.EccfgException or IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
    }

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

    /// <summary><c>--binding B --domain D</c> as words of the console.</summary>
    private static IEnumerable<string> ScopeWords(Call call)
    {
        if (call.Parse.GetValue(Binding) is { } binding)
        {
            yield return "binding";
            yield return binding;
        }
        if (call.Parse.GetValue(Domain) is { } domain)
        {
            yield return "domain";
            yield return domain;
        }
    }

    /// <summary>Asks the running node.</summary>
    private static async Task<int> NodeAsync(Call call, string verb, string jsonVerb, CancellationToken cancellationToken)
    {
        await using var client = await call.ConnectAsync(cancellationToken);
        var words = string.Join(' ', ScopeWords(call).Concat(call.Parse.GetValue(Words) ?? []).Select(word => word is "(" or ")" or "=" ? word : CommandWords.Quote(word)));
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
