using System.Diagnostics;
using System.Text;

namespace Veredus.ConfigServer;

/// <summary>One line of a tree: a file with its mode and content.</summary>
/// <param name="Mode">100644, 100755, 120000 (symbolic link) or 160000 (submodule).</param>
/// <param name="Size">Octets; -1 when it was not asked for.</param>
public sealed record TreeEntry(string Mode, string Blob, string Path, long Size);

/// <summary>One difference of two trees. <paramref name="Kind"/> is A, M or D (T for a changed type).</summary>
public sealed record TreeChange(char Kind, string Path);

/// <summary>A git directory, worked with through the git program; neither the user's nor the system's git settings have a say.</summary>
/// <param name="directory">The git directory (bare).</param>
/// <param name="environment">More environment for each git, e.g. credentials: never on a command line, where others could read it.</param>
public sealed class GitRepository(string directory, IReadOnlyDictionary<string, string>? environment = null)
{
    private const int MaxOutputBytes = 256 * 1024 * 1024;

    public string Directory => directory;

    public bool Exists => File.Exists(Path.Combine(directory, "HEAD"));

    public GitRepository With(IReadOnlyDictionary<string, string> more) => new(directory, more);

    /// <summary>Makes a bare repository whose only branch is <c>main</c>; harmless when there is one.</summary>
    public async Task InitAsync(CancellationToken cancellationToken)
    {
        System.IO.Directory.CreateDirectory(directory);
        await RunAsync(["init", "--quiet", "--bare", "--initial-branch=main", directory], cancellationToken);
    }

    /// <summary>Runs git in this repository.</summary>
    /// <exception cref="GitException">It ended with another code than 0.</exception>
    public async Task<string> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken, ReadOnlyMemory<byte> input = default, IReadOnlyDictionary<string, string>? more = null)
    {
        var (exitCode, output, errors) = await TryAsync(arguments, cancellationToken, input, more);
        return exitCode == 0 ? Encoding.UTF8.GetString(output) : throw new GitException(arguments[0], exitCode, errors);
    }

    /// <summary>Runs git and hands its end over, whatever it is.</summary>
    public async Task<(int ExitCode, byte[] Output, string Errors)> TryAsync(
        IReadOnlyList<string> arguments, CancellationToken cancellationToken, ReadOnlyMemory<byte> input = default, IReadOnlyDictionary<string, string>? more = null)
    {
        var start = new ProcessStartInfo("git") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = System.IO.Directory.Exists(directory) ? directory : "/" };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        Prepare(start.Environment, directory);
        foreach (var (name, value) in (environment ?? new Dictionary<string, string>()).Concat(more ?? new Dictionary<string, string>()))
            start.Environment[name] = value;
        using var process = Process.Start(start) ?? throw new GitException("git can't be started; is it installed?");
        using var kill = cancellationToken.Register(() => process.Kill(entireProcessTree: true));
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var output = ReadAsync(process.StandardOutput.BaseStream);
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(input, CancellationToken.None);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // git has ended without reading; its exit code says why.
        }
        await process.WaitForExitAsync(CancellationToken.None);
        var result = (process.ExitCode, await output, await errors);
        cancellationToken.ThrowIfCancellationRequested();
        return result;
    }

    /// <summary>The commit of a name, or null.</summary>
    public async Task<CommitId?> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        var (exitCode, output, _) = await TryAsync(["rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"], cancellationToken);
        return exitCode == 0 ? new CommitId(Encoding.ASCII.GetString(output).Trim()) : null;
    }

    /// <summary>Where a branch stands.</summary>
    public async Task<Head> HeadAsync(CancellationToken cancellationToken, string name = "refs/heads/main")
    {
        if (!Exists || await ResolveAsync(name, cancellationToken) is not { } commit)
            return Head.None;
        return new(await RevisionAsync(commit, cancellationToken), commit);
    }

    /// <summary>The number of a commit: how many first-parent commits its history has.</summary>
    public async Task<int> RevisionAsync(CommitId commit, CancellationToken cancellationToken) =>
        int.Parse(await RunAsync(["rev-list", "--first-parent", "--count", commit.Hex], cancellationToken), System.Globalization.CultureInfo.InvariantCulture);

    public async Task<bool> IsAncestorAsync(string older, string newer, CancellationToken cancellationToken) =>
        (await TryAsync(["merge-base", "--is-ancestor", older, newer], cancellationToken)).ExitCode == 0;

    /// <summary>All files of a tree, by path.</summary>
    public async Task<IReadOnlyList<TreeEntry>> ListAsync(string tree, CancellationToken cancellationToken)
    {
        var entries = new List<TreeEntry>();
        foreach (var line in (await RunAsync(["ls-tree", "-r", "-l", "-z", "--full-tree", tree], cancellationToken)).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            var (head, path) = (line[..line.IndexOf('\t', StringComparison.Ordinal)], line[(line.IndexOf('\t', StringComparison.Ordinal) + 1)..]);
            var words = head.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            entries.Add(new(words[0], words[2], path, long.TryParse(words[3], out var size) ? size : -1));
        }
        return entries;
    }

    /// <summary>What changed from one tree to the other, renames shown as a delete and an add.</summary>
    public async Task<IReadOnlyList<TreeChange>> DiffAsync(string from, string to, CancellationToken cancellationToken)
    {
        var words = (await RunAsync(["diff-tree", "-r", "--no-renames", "--name-status", "-z", from, to], cancellationToken)).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        return [.. words.Chunk(2).Select(pair => new TreeChange(pair[0][0], pair[1]))];
    }

    public async Task<byte[]> ReadBlobAsync(string blob, CancellationToken cancellationToken)
    {
        var (exitCode, output, errors) = await TryAsync(["cat-file", "blob", blob], cancellationToken);
        return exitCode == 0 ? output : throw new GitException("cat-file", exitCode, errors);
    }

    public async Task<string> WriteBlobAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        (await RunAsync(["hash-object", "-w", "--stdin"], cancellationToken, content)).Trim();

    /// <summary>Makes a tree out of another: entries replaced or added, and paths (of files) removed.</summary>
    public async Task<string> EditTreeAsync(string tree, IEnumerable<TreeEntry> put, IEnumerable<string> remove, CancellationToken cancellationToken)
    {
        using var index = new TemporaryIndex(directory);
        await RunAsync(["read-tree", tree], cancellationToken, more: index.Environment);
        var lines = new StringBuilder();
        foreach (var path in remove)
            lines.Append("0 0000000000000000000000000000000000000000\t").Append(path).Append('\0');
        foreach (var entry in put)
            lines.Append(entry.Mode).Append(' ').Append(entry.Blob).Append('\t').Append(entry.Path).Append('\0');
        await RunAsync(["update-index", "-z", "--index-info"], cancellationToken, Encoding.UTF8.GetBytes(lines.ToString()), index.Environment);
        return (await RunAsync(["write-tree"], cancellationToken, more: index.Environment)).Trim();
    }

    /// <summary>Makes a commit that no branch knows yet.</summary>
    /// <param name="message">At most 64 KiB.</param>
    public async Task<CommitId> CommitTreeAsync(string tree, IEnumerable<CommitId> parents, string message, string author, string committer, DateTimeOffset at, CancellationToken cancellationToken)
    {
        var stamp = $"@{at.ToUnixTimeSeconds()} +0000";
        var identity = new Dictionary<string, string>
        {
            ["GIT_AUTHOR_NAME"] = Clean(author), ["GIT_AUTHOR_EMAIL"] = "", ["GIT_AUTHOR_DATE"] = stamp,
            ["GIT_COMMITTER_NAME"] = Clean(committer), ["GIT_COMMITTER_EMAIL"] = "", ["GIT_COMMITTER_DATE"] = stamp,
        };
        return new((await RunAsync(["commit-tree", .. parents.SelectMany(parent => new[] { "-p", parent.Hex }), "-F", "-", tree], cancellationToken, Encoding.UTF8.GetBytes(message), identity)).Trim());
    }

    private static string Clean(string name) => new([.. name.Where(c => !char.IsControl(c) && c is not ('<' or '>'))]);

    internal static void Prepare(IDictionary<string, string?> environment, string directory)
    {
        foreach (var name in environment.Keys.Where(name => name.StartsWith("GIT_", StringComparison.Ordinal)).ToList())
            environment.Remove(name);
        environment["GIT_DIR"] = directory;
        environment["GIT_CONFIG_NOSYSTEM"] = "1";
        environment["GIT_CONFIG_GLOBAL"] = "/dev/null";
        environment["GIT_TERMINAL_PROMPT"] = "0";
        environment["GIT_OPTIONAL_LOCKS"] = "0";
        environment["LC_ALL"] = "C";
    }

    private static async Task<byte[]> ReadAsync(Stream stream)
    {
        using var content = new MemoryStream();
        var buffer = new byte[32 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer)) > 0)
        {
            if (content.Length + read > MaxOutputBytes)
                throw new GitException($"git answered with more than {MaxOutputBytes} octets.");
            content.Write(buffer, 0, read);
        }
        return content.ToArray();
    }
}

/// <summary>An index of its own for one piece of work: nothing shared, nothing locked, gone afterwards.</summary>
internal sealed class TemporaryIndex(string gitDirectory) : IDisposable
{
    private readonly string _path = Path.Combine(gitDirectory, $"index.{System.Environment.ProcessId}.{Guid.NewGuid():N}");

    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string> { ["GIT_INDEX_FILE"] = _path };

    public void Dispose()
    {
        File.Delete(_path);
        File.Delete(_path + ".lock");
    }

}
