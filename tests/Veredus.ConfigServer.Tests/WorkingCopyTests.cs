namespace Veredus.ConfigServer.Tests;

public sealed class WorkingCopyTests
{
    private const string Ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";

    [Fact]
    public async Task A_commit_on_one_host_arrives_on_another_global_files_too()
    {
        await using var hosts = await Hosts.StartAsync();
        var (one, two) = (await hosts.BootstrapAsync("one"), await hosts.BootstrapAsync("two"));
        one.Write("default/veredus.conf", "relay_hosts = ( 127.0.0.1 )\n");
        one.Write("global/shared.conf", "# shared\n");
        one.Write("default/odd \"name\\.conf", "x\n");
        Assert.Equal("?:default/odd \"name\\.conf ?:default/veredus.conf ?:global/shared.conf", await one.StatusTextAsync());
        var done = await hosts.CommitAsync(one, "first");
        Assert.Equal([("default", 2), ("global", 2)], done.Select(commit => (commit.Repository, commit.Revision.Revision)));
        Assert.Equal("", await one.StatusTextAsync());
        var result = await hosts.PullAsync(two);
        Assert.True(result.HasChanged);
        Assert.Equal(2, result.Revision.Revision);
        Assert.Equal("# shared\n", two.Read("global/shared.conf"));
        Assert.Equal("x\n", two.Read("default/odd \"name\\.conf"));
        Assert.Equal("ana|eccfg host1|first", (await hosts.Store.Open("default").RunAsync(["log", "-1", "--format=%an|%cn|%s", "main"], default)).Trim());
        Assert.False((await hosts.PullAsync(two)).HasChanged);
        await hosts.FsckAsync();
    }

    [Fact]
    public async Task Local_changes_are_kept_and_merged_line_by_line()
    {
        await using var hosts = await Hosts.StartAsync();
        var (one, two) = await TwoWithFileAsync(hosts);
        one.Write("default/a.conf", Ten.Replace("2\n", "two\n", StringComparison.Ordinal));
        await hosts.CommitAsync(one);
        two.Write("default/a.conf", Ten.Replace("9\n", "nine\n", StringComparison.Ordinal));
        two.Write("default/untracked.conf", "u");
        await hosts.PullAsync(two);
        Assert.Equal(Ten.Replace("2\n", "two\n", StringComparison.Ordinal).Replace("9\n", "nine\n", StringComparison.Ordinal), two.Read("default/a.conf"));
        Assert.Equal("M:default/a.conf ?:default/untracked.conf", await two.StatusTextAsync());
    }

    [Fact]
    public async Task An_overlap_is_refused_and_nothing_is_changed()
    {
        await using var hosts = await Hosts.StartAsync();
        var two = await OverlapAsync(hosts);
        var refused = await Assert.ThrowsAnyAsync<EccfgException>(() => hosts.PullAsync(two));
        Assert.Equal(EccfgExit.Conflict, refused.ExitCode);
        Assert.Contains("default/a.conf", refused.Message, StringComparison.Ordinal);
        Assert.Contains("mine", two.Read("default/a.conf"), StringComparison.Ordinal);
        Assert.Equal("M:default/a.conf", await two.StatusTextAsync());
        Assert.False((await hosts.PullAsync(two, policy: AutoUpdate.False)).HasChanged);
        Assert.Equal("local changes present, not updated", (await hosts.PullAsync(two, policy: AutoUpdate.IfUnchanged)).Note);
    }

    [Fact]
    public async Task Mine_and_theirs_take_the_hunks_of_one_side()
    {
        await using (var hosts = await Hosts.StartAsync())
        {
            var two = await OverlapAsync(hosts);
            await hosts.PullAsync(two, ConflictChoice.Mine);
            Assert.Equal("1\n2\n3\n4\nmine\n6\n7\n8\n9\nTEN\n", two.Read("default/a.conf"));
        }
        await using (var hosts = await Hosts.StartAsync())
        {
            var two = await OverlapAsync(hosts);
            await hosts.PullAsync(two, ConflictChoice.Theirs);
            Assert.Equal("1\n2\n3\n4\ntheirs\n6\n7\n8\n9\nTEN\n", two.Read("default/a.conf"));
            Assert.Equal("", await two.StatusTextAsync());
        }
    }

    [Fact]
    public async Task A_manual_merge_is_marked_until_it_is_resolved()
    {
        await using var hosts = await Hosts.StartAsync();
        var two = await OverlapAsync(hosts);
        Assert.Equal(["default/a.conf"], (await hosts.PullAsync(two, ConflictChoice.Manual)).Conflicts);
        Assert.Contains("<<<<<<< mine", two.Read("default/a.conf"), StringComparison.Ordinal);
        Assert.Contains("theirs", two.Read("default/a.conf.theirs"), StringComparison.Ordinal);
        Assert.Equal("C:default/a.conf", await two.StatusTextAsync());
        Assert.Equal(EccfgExit.Conflict, (await Assert.ThrowsAnyAsync<EccfgException>(() => hosts.CommitAsync(two))).ExitCode);
        Assert.Contains("markers", (await Assert.ThrowsAnyAsync<EccfgException>(() => two.ResolveAsync([], default))).Message, StringComparison.Ordinal);
        two.Write("default/a.conf", "both\n");
        await two.ResolveAsync(["default/a.conf"], default);
        Assert.False(two.Has("default/a.conf.mine"));
        Assert.Equal(4, (await hosts.CommitAsync(two)).Single().Revision.Revision);
    }

    [Fact]
    public async Task A_manual_merge_can_be_given_up()
    {
        await using var hosts = await Hosts.StartAsync();
        var two = await OverlapAsync(hosts);
        var before = two.Read("default/a.conf");
        await hosts.PullAsync(two, ConflictChoice.Manual);
        await two.AbandonMergeAsync(default);
        Assert.Equal(before, two.Read("default/a.conf"));
        Assert.False(two.Has("default/a.conf.theirs"));
        Assert.Equal("M:default/a.conf", await two.StatusTextAsync());
    }

    [Fact]
    public async Task Commits_to_different_files_both_arrive_to_the_same_file_the_second_is_refused()
    {
        await using var hosts = await Hosts.StartAsync();
        var (one, two) = await TwoWithFileAsync(hosts);
        one.Write("default/one.conf", "1");
        await hosts.CommitAsync(one);
        two.Write("default/two.conf", "2");
        Assert.Equal(4, (await hosts.CommitAsync(two)).Single().Revision.Revision);
        Assert.Equal("1", two.Read("default/one.conf"));
        Assert.Equal("", await two.StatusTextAsync());
        one.Write("default/two.conf", "other");
        var refused = await Assert.ThrowsAnyAsync<EccfgException>(() => hosts.CommitAsync(one));
        Assert.Equal(EccfgExit.Conflict, refused.ExitCode);
        Assert.Contains("file(s) changed since revision 3: default/two.conf; run \"eccfg pull\" first", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Delete_revert_clone_overlay_and_put_do_what_they_say()
    {
        await using var hosts = await Hosts.StartAsync();
        var (one, _) = await TwoWithFileAsync(hosts);
        one.Write("mta01/node.conf", "n");
        await hosts.CommitAsync(one);
        await one.DeleteAsync(["default/a.conf"], default);
        Assert.False(one.Has("default/a.conf"));
        Assert.Equal("D:default/a.conf", await one.StatusTextAsync());
        await one.RevertAsync(["default/a.conf"], default);
        Assert.Equal(Ten, one.Read("default/a.conf"));
        Assert.Equal("", await one.StatusTextAsync());

        await one.CopyDirectoryAsync(hosts.Remote, "mta01", "default", keepsOthers: true, Hosts.By("overlay"), default);
        await one.CopyDirectoryAsync(hosts.Remote, "mta01", "mta02", keepsOthers: false, Hosts.By("clone"), default);
        File.WriteAllText(one.Conf + "-file", "put");
        Assert.NotNull(await one.PutAsync(hosts.Remote, one.Conf + "-file", "mta02/put.conf", Hosts.By("put"), default));
        Assert.Null(await one.PutAsync(hosts.Remote, one.Conf + "-file", "mta02/put.conf", Hosts.By("put"), default));
        await one.CopyDirectoryAsync(hosts.Remote, "default", "mta02", keepsOthers: false, Hosts.By("replace"), default);
        await hosts.PullAsync(one);
        Assert.Equal("n", one.Read("default/node.conf"));
        Assert.Equal(Ten, one.Read("mta02/a.conf"));
        Assert.False(one.Has("mta02/put.conf"));
        await hosts.FsckAsync();
    }

    [Theory]
    [InlineData("../etc/passwd")]
    [InlineData("default/../../x")]
    [InlineData("/etc/passwd")]
    [InlineData(".git/config")]
    [InlineData("")]
    public async Task Paths_out_of_the_working_copy_are_refused(string path)
    {
        await using var hosts = await Hosts.StartAsync();
        var one = await hosts.BootstrapAsync("one");
        Assert.Equal(EccfgExit.Usage, (await Assert.ThrowsAnyAsync<EccfgException>(() => one.RevertAsync([path], default))).ExitCode);
    }

    [Fact]
    public async Task Links_out_of_the_tree_huge_files_and_FIFOs_are_refused_before_they_are_read()
    {
        await using var hosts = await Hosts.StartAsync();
        var one = await hosts.BootstrapAsync("one");
        one.Write("default/ok.conf", "x");
        File.CreateSymbolicLink(Path.Combine(one.Conf, "default/inside"), "ok.conf");
        await hosts.CommitAsync(one);
        foreach (var target in new[] { "/etc/passwd", "../../outside" })
        {
            File.CreateSymbolicLink(Path.Combine(one.Conf, "default/link"), target);
            Assert.Contains("out of the tree", (await Assert.ThrowsAnyAsync<EccfgException>(() => hosts.CommitAsync(one))).Message, StringComparison.Ordinal);
            File.Delete(Path.Combine(one.Conf, "default/link"));
        }
        using (var huge = File.Create(Path.Combine(one.Conf, "default/huge")))
            huge.SetLength(1L << 30);
        Assert.Contains("1073741824 octets", (await Assert.ThrowsAnyAsync<EccfgException>(() => hosts.CommitAsync(one))).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(one.Conf, "default/huge"));
        LinuxFiles.MakeFifo(Path.Combine(one.Conf, "default/fifo"));
        Assert.Contains("FIFO", (await Assert.ThrowsAnyAsync<EccfgException>(() => hosts.CommitAsync(one))).Message, StringComparison.Ordinal);
        Assert.Equal(2, (await hosts.Store.Open("default").HeadAsync(default)).Revision);
    }

    [Fact]
    public async Task A_tree_that_does_not_pass_the_check_never_becomes_the_working_copy()
    {
        await using var hosts = await Hosts.StartAsync();
        var (one, two) = await TwoWithFileAsync(hosts);
        one.Write("default/a.conf", "broken");
        await hosts.CommitAsync(one);
        await Assert.ThrowsAnyAsync<EccfgException>(() => hosts.PullAsync(two, check: tree => throw new EccfgException(File.ReadAllText(Path.Combine(tree, "default/a.conf")))));
        Assert.Equal(Ten, two.Read("default/a.conf"));
        Assert.True((await hosts.PullAsync(two)).HasChanged);
        Assert.Empty(Directory.GetDirectories(Path.GetDirectoryName(two.Conf)!, "conf.new.*"));
    }

    [Fact]
    public void A_second_eccfg_on_the_host_is_refused()
    {
        using var scratch = new Scratch();
        using (HostLock.Take(scratch.Path))
            Assert.Contains("another eccfg", Assert.Throws<EccfgException>(() => HostLock.Take(scratch.Path)).Message, StringComparison.Ordinal);
        HostLock.Take(scratch.Path).Dispose();
    }

    private static async Task<(WorkingCopy One, WorkingCopy Two)> TwoWithFileAsync(Hosts hosts)
    {
        var one = await hosts.BootstrapAsync("one");
        one.Write("default/a.conf", Ten);
        await hosts.CommitAsync(one);
        return (one, await hosts.BootstrapAsync("two"));
    }

    private static async Task<WorkingCopy> OverlapAsync(Hosts hosts)
    {
        var (one, two) = await TwoWithFileAsync(hosts);
        one.Write("default/a.conf", "1\n2\n3\n4\ntheirs\n6\n7\n8\n9\nTEN\n");
        await hosts.CommitAsync(one);
        two.Write("default/a.conf", "1\n2\n3\n4\nmine\n6\n7\n8\n9\n10\n");
        return two;
    }
}
