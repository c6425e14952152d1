namespace Veredus.Configuration.Tests;

public class IncludeTests
{
    private static LoadResult Load(SearchPath path, params (string Path, string Text)[] files) =>
        new ConfigurationLoader(new MemoryFiles(files.ToDictionary(f => f.Path, f => f.Text)), path).Load("veredus.conf");

    private static readonly SearchPath Default = SearchPath.Create("/etc/veredus", "n1", _ => null);

    [Fact]
    public void An_include_belongs_to_the_scope_it_stands_in()
    {
        var result = Load(Default, ("/etc/veredus/veredus.conf", "binding_group \"g\" { include \"group.conf\" }"), ("/etc/veredus/group.conf", "retry_interval = 5"));
        Assert.Equal(5, result.Snapshot!.Sending("g", "b", "").Get(Options.RetryInterval).TotalSeconds);
        Assert.Equal("/etc/veredus/group.conf:1:1", result.Snapshot.Sending("g", "b", "").Resolve(Options.RetryInterval).Position.ToString());
    }

    [Fact]
    public void A_directory_is_read_in_byte_order_without_hidden_and_left_over_files()
    {
        string[] skipped = [".hidden", "a.conf~", "b.bak", "c.rpmnew", "d.rpmsave", "e.conf.dpkg-dist"];
        var result = Load(Default, [("/etc/veredus/veredus.conf", "include \"conf.d\""), ("/etc/veredus/conf.d/20", "idle_timeout = 20"), ("/etc/veredus/conf.d/10", "idle_timeout = 10"),
            ("/etc/veredus/conf.d/Z", "retry_interval = 1"), ("/etc/veredus/conf.d/a", "retry_interval = 2"), ("/etc/veredus/conf.d/sub/x", "broken ="),
            .. skipped.Select(name => ("/etc/veredus/conf.d/" + name, "broken ="))]);
        Assert.Equal((20, 2), (result.Snapshot!.Global.Get(Options.IdleTimeout).TotalSeconds, result.Snapshot.Global.Get(Options.RetryInterval).TotalSeconds));
    }

    [Fact]
    public void The_first_hit_on_the_search_path_wins_after_the_including_directory()
    {
        (string, string)[] files = [("/etc/veredus/conf/default/veredus.conf", "include \"x.conf\""), ("/etc/veredus/conf/default/x.conf", "idle_timeout = 4"), ("/etc/veredus/conf/n1/x.conf", "idle_timeout = 3"), ("/etc/veredus/conf/global/x.conf", "idle_timeout = 2")];
        Assert.Equal(4, Load(Default, files).Snapshot!.Global.Get(Options.IdleTimeout).TotalSeconds);
        files[0] = ("/etc/veredus/veredus.conf", "include \"x.conf\"");
        Assert.Equal(2, Load(Default, files).Snapshot!.Global.Get(Options.IdleTimeout).TotalSeconds);
        Assert.Equal(3, Load(Default, files[..3]).Snapshot!.Global.Get(Options.IdleTimeout).TotalSeconds);
    }

    [Fact]
    public void The_search_path_comes_from_the_environment_under_its_new_or_old_name()
    {
        Assert.Equal("/a:/b/n2", SearchPath.Create("/etc/veredus", "n2", name => name == "EC_CONF_SEARCH_PATH" ? "/a:/b/{NODENAME}" : null).ToString());
        Assert.Equal("/c", SearchPath.Create("/etc/veredus", null, name => name == "VEREDUS_CONF_SEARCH_PATH" ? "/c" : "/d").ToString());
    }

    [Theory]
    [InlineData("include \"missing.conf\"", "CFG-0401", "No file or directory 'missing.conf'")]
    [InlineData("include \"http://example.com/x\"", "CFG-0405", "only plain paths and file://")]
    [InlineData("include \"veredus.conf\"", "CFG-0403", "Include loop")]
    [InlineData("include \"/etc/veredus/loop\"", "CFG-0403", "Include loop")]
    [InlineData("include \"chain0\"", "CFG-0404", "nested more than 32 deep")]
    [InlineData("include \"secret\"", "CFG-0402", "Can't read '/etc/veredus/secret': denied")]
    [InlineData("include \"locked\"", "CFG-0402", "Can't list '/etc/veredus/locked': denied")]
    [InlineData("include \"latin1\"", "CFG-0106", "not UTF-8")]
    public void An_include_that_cannot_be_read_is_an_error_at_its_place(string text, string code, string part)
    {
        Dictionary<string, string> files = new() { ["/etc/veredus/veredus.conf"] = "\n" + text, ["/etc/veredus/loop"] = "include \"loop2\"", ["/etc/veredus/loop2"] = "include \"loop\"", ["/etc/veredus/secret"] = "", ["/etc/veredus/locked/x"] = "", ["/etc/veredus/latin1"] = "" };
        for (var i = 0; i < 40; i++)
            files[$"/etc/veredus/chain{i}"] = $"include \"chain{i + 1}\"";
        var result = new ConfigurationLoader(new Denying(files), Default).Load("veredus.conf");
        var error = Assert.Single(result.Errors);
        Assert.Equal(code, error.Code);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_main_file_names_the_places_that_were_searched()
    {
        var error = Assert.Single(Load(Default).Errors);
        Assert.Equal("CFG-0401", error.Code);
        Assert.Contains("/etc/veredus:/etc/veredus/conf/global:/etc/veredus/conf/n1:/etc/veredus/conf/default", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_included_read_only_or_twice_are_never_written()
    {
        var result = Load(Default, ("/etc/veredus/veredus.conf", "readonly_include \"ro\" include \"twice\" include \"twice\" include \"file:///etc/veredus/once\""),
            ("/etc/veredus/ro", "include \"below\""), ("/etc/veredus/below", ""), ("/etc/veredus/twice", ""), ("/etc/veredus/once", ""));
        Assert.Equal(["/etc/veredus/below", "/etc/veredus/ro", "/etc/veredus/twice"], result.Snapshot!.Files.Where(f => f.ReadOnly).Select(f => f.Path).Order());
    }

    [Fact]
    public void Local_changes_override_everything_but_must_not_be_part_of_the_rest()
    {
        Assert.Equal(9, Load(Default, ("/etc/veredus/veredus.conf", "local_changes_file = \"l\" idle_timeout = 1"), ("/etc/veredus/l", "idle_timeout = 9")).Snapshot!.Global.Get(Options.IdleTimeout).TotalSeconds);
        Assert.Equal("CFG-0504", Assert.Single(Load(Default, ("/etc/veredus/veredus.conf", "local_changes_file = \"l\" include \"l\""), ("/etc/veredus/l", "")).Errors).Code);
        Assert.True(Load(Default, ("/etc/veredus/veredus.conf", "local_changes_file = \"not-there-yet\"")).Success);
    }

    [Fact]
    public void The_tool_prints_what_scripts_look_for()
    {
        var loader = new ConfigurationLoader(new MemoryFiles(new Dictionary<string, string> { ["/e/ecelerity.conf"] = "idle_timeout = 1", ["/e/bad.conf"] = "idle_timeout = x", ["/e/cert.conf"] = "tls_certificate = \"/e/none.pem\"" }), new(["/e"]));
        Assert.Equal((0, "Configuration valid\n", ""), Run(null));
        Assert.Equal((2, "No configuration found\n", ""), Run("nowhere.conf"));
        Assert.Equal((1, ""), (Run("bad.conf").Code, Run("bad.conf").Output));
        Assert.Contains("CFG-0601", Run("cert.conf").Errors, StringComparison.Ordinal);

        (int Code, string Output, string Errors) Run(string? file)
        {
            using var output = new StringWriter();
            using var errors = new StringWriter();
            return (ConfigurationTools.Validate(loader, file, output, errors), output.ToString(), errors.ToString());
        }
    }

    private sealed class Denying(Dictionary<string, string> files) : IConfigurationFiles
    {
        private readonly MemoryFiles _files = new(files);

        public FileKind Kind(string path) => _files.Kind(path);
        public string Identity(string path) => _files.Identity(path);
        public IEnumerable<string> List(string directory) => directory.EndsWith("locked", StringComparison.Ordinal) ? throw new UnauthorizedAccessException("denied") : _files.List(directory);
        public byte[] Read(string path, int limit) => path switch
        {
            "/etc/veredus/secret" => throw new UnauthorizedAccessException("denied"),
            "/etc/veredus/latin1" => [(byte)'a', 0xE4],
            _ => _files.Read(path, limit),
        };
    }
}
