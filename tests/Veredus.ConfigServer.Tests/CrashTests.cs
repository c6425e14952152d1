namespace Veredus.ConfigServer.Tests;

/// <summary>Work that is cut off at every step: it stops there for good, with all that is on the disk, as after SIGKILL.</summary>
public sealed class CrashTests
{
    [Fact]
    public async Task A_pull_cut_off_at_any_step_leaves_one_whole_revision_and_the_next_one_finishes()
    {
        await using var hosts = await Hosts.StartAsync();
        var writer = await hosts.BootstrapAsync("writer");
        var reader = await hosts.BootstrapAsync("reader");
        await CommitRevisionAsync(hosts, writer, 1);
        await hosts.PullAsync(reader);
        var steps = 0;
        for (var cutAt = 1; ; cutAt++)
        {
            await CommitRevisionAsync(hosts, writer, cutAt + 1);
            if (!await CutOffAsync(cutAt, step => hosts.PullAsync(hosts.Copy("reader", step))))
                break;
            steps++;
            AssertWhole(reader, cutAt, cutAt + 1);
            await hosts.PullAsync(reader);
            AssertWhole(reader, cutAt + 1, cutAt + 1);
            Assert.Equal("", await reader.StatusTextAsync());
            Assert.Empty(Directory.GetDirectories(Path.GetDirectoryName(reader.Conf)!, "conf.new.*"));
        }
        Assert.True(steps >= 9, $"only {steps} steps");
    }

    [Fact]
    public async Task A_commit_cut_off_at_any_step_is_in_the_repository_or_not_and_the_next_one_finishes()
    {
        await using var hosts = await Hosts.StartAsync();
        var (writer, other) = (await hosts.BootstrapAsync("writer"), await hosts.BootstrapAsync("other"));
        for (var cutAt = 1; ; cutAt++)
        {
            other.Write("default/other.conf", $"{cutAt}\n");  // so that the commit has to switch the tree as well
            await hosts.CommitAsync(other);
            writer.Write("default/mine.conf", $"{cutAt}\n");
            var wasCut = await CutOffAsync(cutAt, step => hosts.CommitAsync(hosts.Copy("writer", step)));
            Assert.Equal($"{cutAt}\n", writer.Read("default/mine.conf"));
            await hosts.CommitAsync(writer);
            Assert.Equal($"{cutAt}", (await hosts.Store.Open("default").RunAsync(["show", "main:default/mine.conf"], default)).Trim());
            await hosts.PullAsync(writer);
            Assert.Equal("", await writer.StatusTextAsync());
            Assert.Equal($"{cutAt}\n", writer.Read("default/other.conf"));
            await hosts.PullAsync(other);
            if (!wasCut)
                break;
            Assert.True(cutAt < 40);
        }
        await hosts.FsckAsync();
    }

    [Fact]
    public async Task A_reader_that_sees_one_marker_before_and_after_has_read_one_revision()
    {
        await using var hosts = await Hosts.StartAsync();
        var (writer, copy) = (await hosts.BootstrapAsync("writer"), await hosts.BootstrapAsync("reader"));
        await CommitRevisionAsync(hosts, writer, 1);
        await hosts.PullAsync(copy);
        using var stop = new CancellationTokenSource();
        var reading = Task.Run(() =>
        {
            var read = 0;
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    var before = copy.Read(".eccfg");
                    var texts = Files.Select(copy.Read).ToList();
                    if (copy.Read(".eccfg") != before)
                        continue;
                    Assert.Single(texts.Distinct());
                    read++;
                }
                catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
                {
                    Assert.True(Directory.Exists(copy.Conf));  // the tree that was being read has been replaced: read again
                }
            }
            return read;
        });
        for (var revision = 2; revision < 8; revision++)
        {
            await CommitRevisionAsync(hosts, writer, revision);
            await hosts.PullAsync(copy);
        }
        await stop.CancelAsync();
        Assert.True(await reading > 0);
    }

    private static readonly string[] Files = ["default/a.conf", "default/sub/b.conf", "global/c.conf", "mta01/d.conf"];

    private static async Task CommitRevisionAsync(Hosts hosts, WorkingCopy writer, int revision)
    {
        foreach (var file in Files)
            writer.Write(file, $"{revision}\n");
        await hosts.CommitAsync(writer);
    }

    private static void AssertWhole(WorkingCopy copy, int old, int @new)
    {
        var texts = Files.Select(file => copy.Read(file).Trim()).Distinct().ToList();
        Assert.True(texts.Count == 1 && (texts[0] == $"{old}" || texts[0] == $"{@new}"), $"files of revisions {string.Join(", ", texts)} after a crash between {old} and {@new}");
    }

    /// <summary>Runs work until its n-th step and leaves it there. False: it has fewer steps and is done.</summary>
    private static async Task<bool> CutOffAsync(int at, Func<Func<string, Task>, Task> work)
    {
        var (count, cut) = (0, new TaskCompletionSource());
        var running = work(_ =>
        {
            if (++count < at)
                return Task.CompletedTask;
            cut.SetResult();
            return new TaskCompletionSource().Task;
        });
        if (await Task.WhenAny(running, cut.Task) == cut.Task)
            return true;
        await running;
        return false;
    }
}
