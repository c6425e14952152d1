using System.CommandLine;
using System.Text.Json;
using Veredus.Cluster;
using Veredus.CommandLine;
using Veredus.Output;
using Veredus.Setup;
using Options = Veredus.Configuration.Options;
using ScopeKinds = Veredus.Configuration.ScopeKinds;

namespace Veredus.Commands;

/// <summary>What the nodes of a cluster stand on: the bus.</summary>
internal static class ClusterCommand
{
    private static readonly Option<string?> File = new("-c", "--config") { Description = "Main configuration file", HelpName = "FILE" };
    private static readonly Option<string?> Write = new("--write") { Description = "Write corosync.conf into this directory, and the key beside it if there is none", HelpName = "DIR" };

    public static Command Build(CliHost host)
    {
        var command = new Command("cluster", "The bus between the nodes") { BuildRender(host) };
        foreach (var peers in MembersCommand.BuildPeers(host))
            command.Subcommands.Add(peers);
        return command;
    }

    private static Command BuildRender(CliHost host) =>
        CommandTree.Leaf(host, "render", "Makes corosync.conf from msgc_server { peers }",
            ["veredus cluster render", $"veredus cluster render --write {ClusterFiles.DefaultDirectory}"], RenderAsync, File, Write);

    private static Task<int> RenderAsync(Call call, CancellationToken cancellationToken)
    {
        var snapshot = ConfigCommand.Load(call, File);
        var files = new ClusterFiles(Path.GetFullPath(call.Parse.GetValue(Write) ?? snapshot.Get(ScopeKinds.Cluster, Options.ClusterDirectory)));
        var bus = BusPlan.Read(snapshot, files, BusPlan.AccessGroup());
        var text = bus.Render();
        if (call.Parse.GetValue(Write) is null)
        {
            if (call.IsJson)
                call.Json("veredus.cluster.render/1", "", $$"""{"path":"{{JsonEncodedText.Encode(files.BusConfiguration)}}","text":"{{JsonEncodedText.Encode(text)}}"}""");
            else
                call.Out.Writer.Write(text);
            return Task.FromResult(ExitCodes.Done);
        }
        var changes = new FileChanges();
        try
        {
            if (!BusPlan.IsOurs(files.BusConfiguration))
                throw new CliException(ExitCodes.Conflict, $"{files.BusConfiguration} was not made by this command; nothing was written.", "Move it away, or give another directory with --write.");
            var hasKey = System.IO.File.Exists(files.BusKey);
            if (hasKey)
                _ = BusKey.Read(files.BusKey);
            else
                changes.Add(files.BusKey, CorosyncConfiguration.NewKey(), FileChanges.Secret, "a new key for the bus");
            changes.Add(files.BusConfiguration, text, FileChanges.Open, $"{bus.Peers.Count} peers");
            var deeds = changes.Describe().ToList();
            changes.Apply(cancellationToken);
            if (bus.StateDirectory.StartsWith(files.Directory, StringComparison.Ordinal))
                Directory.CreateDirectory(bus.StateDirectory);
            if (call.IsJson)
            {
                call.Json("veredus.cluster.render/1", "", $$"""{"path":"{{JsonEncodedText.Encode(files.BusConfiguration)}}","key":"{{JsonEncodedText.Encode(files.BusKey)}}","keyIsNew":{{(hasKey ? "false" : "true")}},"changed":{{(deeds.Count > 0 ? "true" : "false")}}}""");
                return Task.FromResult(ExitCodes.Done);
            }
            foreach (var deed in deeds)
                call.Out.Line(deed);
            if (deeds.Count == 0)
                call.Out.Line($"{files.BusConfiguration} is as it should be; nothing was written");
            if (!hasKey)
                call.Error.Line($"next: the same key on every node: copy {files.BusKey} to the same place there, mode 0400, or let 'veredus setup node --join' do it", Tone.Strong);
            call.Error.Line($"then: {BusPlan.StartLine(files)}   (it runs already and peers changed: corosync-cfgtool -R)");
            return Task.FromResult(ExitCodes.Done);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
    }
}
