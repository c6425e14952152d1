namespace Veredus.Configuration.Tests;

public class LanguageTests
{
    public static TheoryData<string> Corpus { get; } = [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Corpus"), "*.conf").Select(f => Path.GetFileName(f)).Order()];

    internal static string Sample(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Corpus", name));

    [Theory]
    [MemberData(nameof(Corpus))]
    public void Samples_in_the_style_of_the_reference_manuals_load_as_they_are(string name)
    {
        var result = ConfigurationSnapshot.Parse(Sample(name), name);
        Assert.Empty(result.Errors);
        Assert.NotNull(result.Snapshot);
    }

    [Theory]
    [MemberData(nameof(Corpus))]
    public void A_configuration_written_out_reads_back_the_same(string name)
    {
        var snapshot = ConfigurationSnapshot.FromText(Sample(name));
        var again = ConfigurationSnapshot.FromText(Renderer.Recurse(snapshot.Root, mask: false));
        Assert.Empty(OptionDifference.Between(snapshot.Root, again.Root));
        Assert.Equal(snapshot.Root.Walk().Select(n => n.Id), again.Root.Walk().Select(n => n.Id));
    }

    [Theory]
    [InlineData("a = \"x\\d+\\.y\"", @"x\d+\.y")]
    [InlineData("a = \"q\\\"q\\\\b\\n\\r\\t\"", "q\"q\\b\n\r\t")]
    [InlineData("a = 'no \\n \" escape'", "no \\n \" escape")]
    [InlineData("a = 192.0.2.0/24", "192.0.2.0/24")]
    [InlineData("a = http://h/p?x;y,z", "http://h/p?x;y,z")]
    [InlineData("a = b; # gone", "b")]
    [InlineData("a\n=\r\n\tb/*c*/", "b/*c*/")]
    [InlineData("a = b /* \n * } */", "b")]
    [InlineData("\uFEFFa = b", "b")]
    [InlineData("a = \"line\nbreak\"", "line\nbreak")]
    public void A_value_is_read_as_written(string text, string expected)
    {
        var diagnostics = new DiagnosticBag();
        var statement = Assert.IsType<AssignmentStatement>(Assert.Single(SyntaxParser.Parse(text, "f", diagnostics)));
        Assert.Empty(diagnostics.Items);
        Assert.Equal(expected, statement.Value.Text);
    }

    [Theory]
    [InlineData("relay_hosts = ( 10.0.0.1, 10.0.0.2 10.0.0.3, )", 3)]
    [InlineData("relay_hosts ( 10.0.0.1 )", 1)]
    [InlineData("relay_hosts = 10.0.0.1", 1)]
    [InlineData("relay_hosts = ( )", 0)]
    public void Commas_in_lists_are_optional(string text, int count) =>
        Assert.Equal(count, ConfigurationSnapshot.FromText(text).Global.Get(Options.RelayHosts).Networks.Count);

    [Fact]
    public void The_later_of_two_settings_wins_and_bodies_of_one_scope_merge()
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            Retry_Interval = 1
            DOMAIN "Example.COM." { retry_interval = 2 }
            retry_interval = 3
            domain "example.com" { idle_timeout = 4 }
            """);
        var view = snapshot.Sending("g", "b", "example.com");
        Assert.Equal((2, 4, 3), (view.Get(Options.RetryInterval).TotalSeconds, view.Get(Options.IdleTimeout).TotalSeconds, snapshot.Global.Get(Options.RetryInterval).TotalSeconds));
        Assert.Single(snapshot.Root.Children);
    }

    [Theory]
    [InlineData("retry_interval = ", "CFG-0101", 1, 18, "Unexpected end of the file; expected a value")]
    [InlineData("\n  retry_interval 5", "CFG-0108", 2, 3, "expected '= value' or '{'")]
    [InlineData("open_relay\nsecurity = { }", "CFG-0108", 1, 1, "needs a value or a body")]
    [InlineData("gateway = \"mx.example.com\nretry_interval = 1\n", "CFG-0102", 1, 11, "never closed")]
    [InlineData("a = 1\n/* x", "CFG-0103", 2, 1, "expected '*/'")]
    [InlineData("security {\n user = \"x\"\n", "CFG-0104", 1, 1, "never closed; expected '}'")]
    [InlineData("gateway = \u201Cmx\u201D", "CFG-0105", 1, 11, "Typographic quote")]
    [InlineData("gateway = a\0b", "CFG-0106", 1, 12, "NUL")]
    [InlineData("relay_hosts += ( 10.0.0.1 )", "CFG-0107", 1, 1, "There is no '+='")]
    [InlineData("relay_hosts + = ( 10.0.0.1 )", "CFG-0107", 1, 1, "There is no '+='")]
    [InlineData("}\nretry_interval = 1", "CFG-0111", 1, 1, "closes no scope")]
    [InlineData("9lives = 1", "CFG-0101", 1, 1, "is no name")]
    [InlineData("relay_hosts = ( 10.0.0.1 = )", "CFG-0101", 1, 26, "expected a list item or ')'")]
    [InlineData("esmtp_listener { context = [ a ] }", "CFG-0101", 1, 32, "expected '=' after the key 'a'")]
    [InlineData("binding \"b\" = 5", "CFG-0101", 1, 13, "expected '{' after binding \"b\"")]
    [InlineData("binding \"b\" {\n max_outbound_conections = 5\n}", "CFG-0201", 2, 2, "is not a valid option or scope name in scope 'Binding'; did you mean 'max_outbound_connections'?")]
    [InlineData("listener { }", "CFG-0201", 1, 1, "is not a valid option or scope name at top level")]
    [InlineData("domain \"x.example\" { relay_hosts = ( ) }", "CFG-0202", 1, 22, "it may be set in: global, esmtp_listener")]
    [InlineData("listen \":25\" { }", "CFG-0203", 1, 1, "it belongs in: esmtp_listener")]
    [InlineData("binding { }", "CFG-0205", 1, 1, "needs a name")]
    [InlineData("security \"x\" { }", "CFG-0205", 1, 10, "takes no name")]
    [InlineData("binding \"a:b\" { }", "CFG-0205", 1, 9, "expected a binding name without blanks")]
    [InlineData("domain \"/(/\" { }", "CFG-0205", 1, 8, "is no regular expression")]
    [InlineData("esmtp_listener { listen 2001:db8::1:25 { } }", "CFG-0205", 1, 25, "'[ipv6]:port'")]
    [InlineData("esmtp_listener { peer \"10.0.0.0/33\" { } }", "CFG-0205", 1, 23, "a network such as 192.0.2.0/24")]
    [InlineData("idle_timeout { }", "CFG-0206", 1, 1, "is an option, not a scope; write Idle_Timeout = value")]
    [InlineData("binding = 5", "CFG-0206", 1, 1, "is a scope, not an option; write Binding \"name\" { ... }")]
    [InlineData("retry_interval = ( 1 )", "CFG-0303", 1, 18, "can't be this list; expected seconds")]
    [InlineData("remote_smtp_port = 70000", "CFG-0302", 1, 20, "can't be '70000'; expected a whole number from 1 to 65535")]
    [InlineData("relay_hosts = ( 10.0.0.1 10.0.0 )", "CFG-0301", 1, 15, "'10.0.0' is none")]
    [InlineData("tls = maybe", "CFG-0301", 1, 7, "expected one of no, ifavailable, required")]
    [InlineData("esmtp_listener { relay_for_sending_domains = ( ) }", "CFG-0301", 1, 18, "use open_relay = true")]
    [InlineData("esmtp_listener { static_banner = \"250 hi\" }", "CFG-0301", 1, 34, "starts with '220 '")]
    [InlineData("match_cache_size = 0", "CFG-0302", 1, 20, "from 1 to")]
    [InlineData("outbound_smtp_auth_pass = ( hunter2 )", "CFG-0303", 1, 27, "can't be ********")]
    [InlineData("esmtp_listener { listen \":25\" { pathway = \"p\" } }", "CFG-0501", 1, 33, "names the pathway 'p', which is not configured")]
    [InlineData("binding \"#mmove\" { }", "CFG-0205", 1, 9, "not starting with '#'")]
    [InlineData("binding \"b\" { } binding_group \"g\" { binding \"b\" { } }", "CFG-0502", 1, 37, "a binding belongs to one group")]
    [InlineData("binding_rule \"r\" { }", "CFG-0505", 1, 1, "exactly one of binding and binding_group")]
    [InlineData("cluster { replicate \"inbound_cdir\" { } }", "CFG-0506", 1, 11, "did you mean 'inbound_cidr'?")]
    [InlineData("cluster { topology \"10.0.0.0/8\" { } }", "CFG-0506", 1, 11, "needs interface")]
    [InlineData("memory_goal = 90 memory_hwm = 80", "CFG-0507", 1, 18, "must not be below")]
    [InlineData("local_changes_only = true", "CFG-0507", 1, 1, "needs local_changes_file")]
    [InlineData("binding \"a\" { bind_address = 10.0.0.1 } esmtp_listener { listen \"10.0.0.2:25\" { duravip_follow = \"a\" } }", "CFG-0503", 1, 81, "is not a DuraVIP binding")]
    [InlineData("binding \"a\" { bind_address = 10.0.0.1 enable_duravip = on } esmtp_listener { listen \"10.0.0.1:25\" { duravip_follow = \"a\" } }", "CFG-0503", 1, 101, "which has the same address")]
    public void An_error_says_where_it_is_what_is_wrong_and_what_was_expected(string text, string code, int line, int column, string part)
    {
        var result = ConfigurationSnapshot.Parse(text, "veredus.conf");
        var error = Assert.Single(result.Errors, e => e.Code == code && e.Position.Line == line && e.Position.Column == column);
        Assert.Equal("veredus.conf", error.Position.File);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.StartsWith($"{code} ", error.ToString(), StringComparison.Ordinal);
        Assert.Null(result.Snapshot);
        Assert.DoesNotContain("hunter2", result.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void All_errors_of_a_file_are_reported_up_to_fifty()
    {
        var three = ConfigurationSnapshot.Parse("a = 1\nbinding \"b\" {\n  b = 2\n  idle_timeout = x\n}\nretry_interval = 3\n");
        Assert.Equal([1, 3, 4], three.Errors.Select(e => e.Position.Line));
        var many = ConfigurationSnapshot.Parse(string.Concat(Enumerable.Range(0, 1000).Select(i => $"nope{i} = 1\n")));
        Assert.Equal(51, many.Errors.Count());
        Assert.Equal("CFG-0110", many.Errors.Last().Code);
    }

    [Fact]
    public void A_syntax_error_does_not_hide_what_follows_it()
    {
        var result = ConfigurationSnapshot.Parse("relay_hosts = ( 10.0.0.1\nretry_interval = 1\ngateway mx.example.com\nidle_timeout = x\n");
        Assert.Equal(["CFG-0101", "CFG-0108", "CFG-0301"], result.Errors.Select(e => e.Code));
    }

    [Theory]
    [InlineData("pcre_cache_size = 1", "CFG-0901", "ignored: Pcre_Cache_Size")]
    [InlineData("adaptive_anything = on", "CFG-0901", "ignored: Adaptive_Anything")]
    [InlineData("xclient = required", "CFG-0902", "Xclient is not implemented yet and has no effect")]
    [InlineData("transform_8bitmime_content = strict", "CFG-0902", "Transform_8bitmime_Content has an effect only with its default")]
    [InlineData("security { user = mail }", "CFG-0902", "User is not implemented yet and has no effect")]
    [InlineData("as_logger { }", "CFG-0903", "is checked, but has no effect on a single node")]
    [InlineData("binding_group \"g\" { bind_address = 10.0.0.1 }", "CFG-0906", "one source address")]
    public void What_has_no_effect_is_accepted_with_a_warning(string text, string code, string part)
    {
        var result = ConfigurationSnapshot.Parse(text);
        Assert.True(result.Success);
        var warning = Assert.Single(result.Warnings);
        Assert.Equal(code, warning.Code);
        Assert.Contains(part, warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Scopes_nested_too_deep_are_an_error_and_not_a_crash()
    {
        var text = string.Concat(Enumerable.Repeat("script \"s\" { ", 100_000)) + "x";
        Assert.Contains(ConfigurationSnapshot.Parse(text).Errors, e => e.Code == "CFG-0109");
    }

    [Fact]
    public void One_socket_spelled_in_two_ways_is_one_stanza()
    {
        var snapshot = ConfigurationSnapshot.FromText("""
            esmtp_listener { listen ":25" { listen_backlog = 7 } listen "*:25" { enable = no } listen "[0:0::0]:25" { } listen "[*]:25" { } peer "10.1.2.3/8" { } peer 10.0.0.0/8 { } }
            """);
        Assert.Equal(["*:25", "[*]:25"], snapshot.Listens.Select(l => l.Endpoint.ToString()));
        Assert.False(snapshot.Listens[0].IsEnabled);
        Assert.Equal(3, snapshot.Root.Children[0].Children.Count);
    }
}
