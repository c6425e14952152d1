using System.CommandLine;
using Veredus.CommandLine;
using Veredus.Manager;
using Veredus.Manager.Hosting;
using Veredus.Manager.Logs;

namespace Veredus.Commands;

/// <summary>The manager: <c>veredus manager run</c>, classic <c>eccmgr</c> (cluster.md 10).</summary>
internal static class ManagerCommand
{
    private static readonly Option<string?> File = new("-c", "--config") { Description = "Configuration file; else eccluster.conf along the search path", HelpName = "FILE" };
    private static readonly Option<string?> Group = new("-g", "--group") { Description = "Control group, in place of the configured one", HelpName = "NAME" };
    private static readonly Option<bool> NoLock = new("-n") { Description = "No pid file (not recommended)" };
    private static readonly Option<bool> Verbose = new("-v") { Description = "More in the paniclog and on standard error; up to four times", Arity = ArgumentArity.Zero };
    private static readonly Option<string?> Extensions = new("-e") { Description = "Extensions directory; there are none, accepted with a warning", HelpName = "DIR" };
    private static readonly Option<bool> Daemon = new("-D") { Description = "Accepted; it always stays in the foreground, systemd or a shell puts it elsewhere" };
    private static readonly Option<bool> Foreground = new("-d", "--foreground") { Description = "Stay in the foreground and log to standard error (it always does)" };
    private static readonly Option<bool> Version = new("-V") { Description = "Prints the version" };
    private static readonly Option<string?> DroppedS = new("-s") { Hidden = true };
    private static readonly Option<string?> DroppedX = new("-x") { Hidden = true };

    public static Command Build(CliHost host) => new("manager", "The manager (eccmgr): one console for all nodes")
    {
        CommandTree.Leaf(host, "run", "Runs a manager in the foreground; systemd's unit does this",
            ["veredus manager run", "veredus manager run -c /etc/veredus/eccluster.conf"], RunAsync, File, Group, NoLock, Verbose, Extensions, Daemon, Foreground, Version, DroppedS, DroppedX),
    };

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        if (call.Parse.GetValue(Version))
        {
            call.Out.Line($"eccmgr {VersionCommand.Version}");
            return ExitCodes.Done;
        }
        foreach (var dropped in (Option[])[DroppedS, DroppedX, Extensions, Daemon])
            if (call.Parse.GetResult(dropped) is { Implicit: false })
                call.Error.Line($"{dropped.Name} has no effect", Output.Tone.Warning);
        var options = new ManagerOptions
        {
            Loader = ConfigCommand.Loader(call.Host),
            ConfigurationFile = call.Parse.GetValue(File) is { Length: > 0 } file ? Path.GetFullPath(file) : null,
            Verbosity = call.Parse.GetResult(Verbose)?.IdentifierTokenCount ?? 0,
            Group = call.Parse.GetValue(Group),
            Version = VersionCommand.Version.Split(' ')[0],
            Services = [new ManagerHttp(), new LogCollection()],
        };
        return (int)await ManagerProcess.RunAsync(options, text => call.Error.Line(text, Output.Tone.Bad), text => call.Error.Line(text, Output.Tone.Warning), !call.Parse.GetValue(NoLock));
    }
}
