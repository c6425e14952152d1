using System.Globalization;

namespace Veredus.ConfigServer;

public sealed partial class WorkingCopy
{
    /// <summary>Files that <c>pull --manual</c> leaves beside a file in conflict.</summary>
    internal sealed record ExtraFile(string Path, byte[] Content);

    /// <summary>
    /// Puts complete trees in place of the present files: built beside them, checked, on the disk, then exchanged in one step. Whatever
    /// moment it is cut off at, the working copy is the old one or the new one.
    /// </summary>
    /// <param name="check">Looks at the new tree before it counts; what it throws leaves everything as it was.</param>
    /// <param name="isRehearsal">Ends behind the check; nothing is exchanged.</param>
    internal async Task SwitchAsync(Marker marker, string tree, string globalTree, IReadOnlyList<ExtraFile> extra, Func<string, Task>? check, CancellationToken cancellationToken, bool isRehearsal = false)
    {
        var scratch = $"{Conf}.new.{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}";
        RemoveLeftovers();
        try
        {
            await StepAsync("make the scratch tree");
            await RequireSpaceAsync(marker, tree, globalTree, cancellationToken);
            Directory.CreateDirectory(Path.Combine(scratch, GlobalName));
            await CheckOutAsync(Repository(marker.Subcluster), tree, scratch, cancellationToken);
            await StepAsync("check out global");
            await CheckOutAsync(Repository(GlobalName), globalTree, Path.Combine(scratch, GlobalName), cancellationToken);
            await StepAsync("write extra files");
            foreach (var file in extra)
                await File.WriteAllBytesAsync(Path.Combine(scratch, file.Path), file.Content, cancellationToken);
            KeepModes(scratch);
            marker.Write(scratch);
            if (check is not null)
                await check(scratch);
            if (isRehearsal)
            {
                RemoveLeftovers();
                return;
            }
            await StepAsync("sync");
            LinuxFiles.SyncFileSystem(scratch);
        }
        catch (Exception exception) when (exception is IOException or GitException or EccfgException)
        {
            RemoveLeftovers();
            if (IsFull(exception))
                throw new EccfgException($"not enough space for the new working copy beside {Conf}; nothing was changed.");
            throw;
        }
        await StepAsync("exchange");
        if (Directory.Exists(Conf))
            LinuxFiles.Exchange(scratch, Conf);
        else
            Directory.Move(scratch, Conf);
        await StepAsync("sync the parent");
        LinuxFiles.SyncDirectory(Path.GetDirectoryName(Conf)!);
        await StepAsync("delete the old tree");
        RemoveLeftovers();
    }

    /// <summary>git says only that it can't write; so the space is looked at first.</summary>
    private async Task RequireSpaceAsync(Marker marker, string tree, string globalTree, CancellationToken cancellationToken)
    {
        const long block = 4096;
        var needed = 0L;
        foreach (var (name, content) in new[] { (marker.Subcluster, tree), (GlobalName, globalTree) })
            needed += (await Repository(name).ListAsync(content, cancellationToken)).Sum(entry => (Math.Max(entry.Size, 1) + block - 1) / block * block);
        var free = new DriveInfo(Path.GetDirectoryName(Conf)!).AvailableFreeSpace;
        if (needed + (64 * block) > free)
            throw new EccfgException($"not enough space for the new working copy beside {Conf}: {needed} octets are needed, {free} are free; nothing was changed.");
    }

    private static bool IsFull(Exception exception) =>
        exception is IOException { HResult: var code } ? (code & 0xffff) == 28 : exception is GitException git && git.Errors.Contains("No space left", StringComparison.Ordinal);

    /// <summary>Removes what an earlier run left when it was cut off. Under the host's lock nobody else has any.</summary>
    public void RemoveLeftovers()
    {
        foreach (var leftover in Directory.EnumerateDirectories(Path.GetDirectoryName(Conf)!, Path.GetFileName(Conf) + ".new.*"))
            Directory.Delete(leftover, recursive: true);
        if (!Directory.Exists(StateDirectory))
            return;
        foreach (var file in Directory.EnumerateFiles(StateDirectory, "*", SearchOption.AllDirectories))
            if (Path.GetFileName(file).StartsWith("index.", StringComparison.Ordinal) || file.EndsWith(".lock", StringComparison.Ordinal))
                File.Delete(file);
    }

    private static async Task CheckOutAsync(GitRepository repository, string tree, string into, CancellationToken cancellationToken)
    {
        using var index = new TemporaryIndex(repository.Directory);
        await repository.RunAsync(["read-tree", tree], cancellationToken, more: index.Environment);
        await repository.RunAsync(["-c", "core.bare=false", "--work-tree", into, "checkout-index", "--all", "--force", "--quiet", $"--prefix={into}/"], cancellationToken, more: index.Environment);
    }

    /// <summary>A file keeps the permissions that it had; a new one is for owner and group. Run by root, all belong to whom the copy belonged.</summary>
    private void KeepModes(string scratch)
    {
        const UnixFileMode fileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        var owner = Directory.Exists(Conf) ? Conf : Path.GetDirectoryName(Conf)!;
        if (Environment.IsPrivilegedProcess)
            LinuxFiles.GiveToOwnerOf(scratch, owner);
        foreach (var entry in new DirectoryInfo(scratch).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            if (Environment.IsPrivilegedProcess)
                LinuxFiles.GiveToOwnerOf(entry.FullName, owner);
            if (entry.LinkTarget is not null)
                continue;
            var old = Path.Combine(Conf, Path.GetRelativePath(scratch, entry.FullName));
            if (entry is DirectoryInfo)
                entry.UnixFileMode = Directory.Exists(old) ? File.GetUnixFileMode(old) : fileMode | UnixFileMode.UserExecute | UnixFileMode.GroupExecute;
            else
            {
                var executable = (entry.UnixFileMode & UnixFileMode.UserExecute) != 0;
                var mode = File.Exists(old) ? File.GetUnixFileMode(old) : fileMode;
                entry.UnixFileMode = executable ? mode | UnixFileMode.UserExecute : mode & ~(UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
            }
        }
        if (Directory.Exists(Conf))
            File.SetUnixFileMode(scratch, File.GetUnixFileMode(Conf));
    }
}
