using System.CommandLine;
using Veredus.CommandLine;

namespace Veredus.Commands;

/// <summary>The classic names as links to this program.</summary>
internal static class LinksCommand
{
    private static readonly Option<string> Directory = new("--dir") { Description = "Where the links are", HelpName = "DIR", DefaultValueFactory = _ => "/usr/bin" };
    private static readonly Option<string?> Target = new("--target") { Description = "What they point to; this program unless given", HelpName = "PATH" };

    public static Command Build(CliHost host) => new("links", "The classic program names")
    {
        CommandTree.Leaf(host, "install", "Makes the links; never replaces a file that is not such a link",
            ["veredus links install --dir /usr/bin", "veredus links install --dir ~/bin"], InstallAsync, Directory, Target),
        CommandTree.Leaf(host, "remove", "Removes the links that 'install' made", ["veredus links remove --dir /usr/bin", "veredus links remove --dir ~/bin"], RemoveAsync, Directory, Target),
    };

    private static Task<int> InstallAsync(Call call, CancellationToken cancellationToken)
    {
        var (directory, target) = Places(call);
        var inTheWay = Personality.Links.Keys.Select(name => Path.Combine(directory, name)).Where(path => Exists(path) && !IsOurs(path, target)).ToList();
        if (inTheWay.Count > 0)
            throw new CliException(ExitCodes.Conflict, $"These are not our links and stay as they are: {string.Join(' ', inTheWay)}", "Nothing was changed. Remove them, or choose another --dir.");
        foreach (var name in Personality.Links.Keys)
        {
            var path = Path.Combine(directory, name);
            if (!Exists(path))
                File.CreateSymbolicLink(path, target);
            call.Out.Line($"{path} -> {target}");
        }
        return Task.FromResult(ExitCodes.Done);
    }

    private static Task<int> RemoveAsync(Call call, CancellationToken cancellationToken)
    {
        var (directory, target) = Places(call);
        foreach (var path in Personality.Links.Keys.Select(name => Path.Combine(directory, name)).Where(path => IsOurs(path, target)))
        {
            File.Delete(path);
            call.Out.Line($"{path} removed");
        }
        return Task.FromResult(ExitCodes.Done);
    }

    private static (string Directory, string Target) Places(Call call)
    {
        var directory = Path.GetFullPath(call.Parse.GetValue(Directory)!);
        if (!System.IO.Directory.Exists(directory))
            throw new CliException(ExitCodes.NotFound, $"There is no directory {directory}.");
        return (directory, call.Parse.GetValue(Target) ?? Environment.ProcessPath ?? throw new CliException(ExitCodes.Failed, "This program does not know where it is.", "Give --target."));
    }

    private static bool Exists(string path) => File.Exists(path) || new FileInfo(path).LinkTarget is not null;

    private static bool IsOurs(string path, string target) => new FileInfo(path).LinkTarget == target;
}
