namespace Veredus.Configuration.Tests;

public sealed class ConsoleTests : IDisposable
{
    private readonly ConfigurationStore _store = new(ConfigurationSnapshot.FromText("""
        message_expiration = 172800
        outbound_smtp_auth_pass = "hunter2"
        spoolbase = "/var/spool/veredus"
        esmtp_listener { listen "192.0.2.5:2525" { smtp_extensions = ( STARTTLS "AUTH PLAIN" ) } listen ":25" { } }
        binding_group "bulk" {
          suspend_delivery = off
          domain "example.net" { max_outbound_connections = 4 }
          binding "bulk-1" { ehlo_hostname = "out1.example.com" }
        }
        domain "example.net" { retry_interval = 77 }
        ec_logger "main" { }
        """));

    public void Dispose() => _store.Dispose();

    [Theory]
    [InlineData("config get gateway", "Option 'Gateway' is not set in scope ''.")]
    [InlineData("config eval binding_group bulk binding bulk-1 idle_timeout", "Idle_Timeout = 5")]
    [InlineData("config get binding_group bulk suspend_delivery", "Suspend_Delivery = off")]
    [InlineData("config eval binding_group bulk binding bulk-1 domain example.net max_outbound_connections", "Max_Outbound_Connections = 4")]
    [InlineData("config eval binding_group bulk binding bulk-1 domain example.net retry_interval", "Retry_Interval = 77")]
    [InlineData("config eval binding_group bulk binding bulk-1 host mx.example.net max_outbound_connections", "Max_Outbound_Connections = -1")]
    [InlineData("config eval --explain message_expiration", "Message_Expiration = 172800\n  set in the global scope, text:1:1")]
    [InlineData("config eval --explain binding_group bulk domain example.net max_outbound_connections", "Max_Outbound_Connections = 4\n  set at Binding_Group:bulk:Domain:example.net:, text:7:26")]
    [InlineData("config eval --explain retry_interval", "Retry_Interval = 1200\n  built-in default")]
    [InlineData("config get outbound_smtp_auth_pass", "Outbound_Smtp_Auth_Pass = \"********\"")]
    [InlineData("config set prohibited_hosts ( 127.0.0.0/8 0.0.0.0 )", "Prohibited_Hosts = (\n  \"127.0.0.0/8\"\n  \"0.0.0.0\"\n)")]
    [InlineData("config set binding_group bulk binding bulk-1 domain example.net max_outbound_connections 8", "Max_Outbound_Connections = 8")]
    [InlineData("config set gateway = mx.example.com", "Gateway = mx.example.com")]
    [InlineData("config set ec_logger main log_receptions off", "Log_Receptions = off")]
    [InlineData("config unset domain example.net retry_interval", "\"Retry_Interval\" has been unset. Effective value is now:\n  Retry_Interval = 1200")]
    [InlineData("config locate listen 2525", "Listen \"192.0.2.5:2525\"\n  is at Esmtp_Listener::Listen:192.0.2.5\\:2525:")]
    [InlineData("config show binding_group bulk", "Suspend_Delivery = off\nDomain \"example.net\" { ... }\nBinding \"bulk-1\" { ... }")]
    [InlineData("config showrecurse binding_group bulk binding bulk-1", "Binding \"bulk-1\" {\n  Ehlo_Hostname = out1.example.com\n}")]
    [InlineData("config show esmtp_listener listen 192.0.2.5:2525 smtp_extensions", "Smtp_Extensions = (\n  \"STARTTLS\"\n  \"AUTH PLAIN\"\n)")]
    public async Task Answers_look_as_operators_know_them(string command, string expected)
    {
        var result = await new ConfigConsole(_store).ExecuteAsync(command);
        Assert.Equal((0, expected), (result.Code, result.Text));
    }

    [Theory]
    [InlineData("config", 0, "config get")]
    [InlineData("config gett x", 400, "did you mean 'get'?")]
    [InlineData("config get gatway", 404, "did you mean 'gateway'?")]
    [InlineData("config get", 400, "Expected the name of an option")]
    [InlineData("config get binding", 404, "needs a name")]
    [InlineData("config get gateway now", 400, "Unexpected 'now'")]
    [InlineData("config set idle_timeout", 400, "Expected a value")]
    [InlineData("config set idle_timeout soon", 422, "Reconfigure failed.")]
    [InlineData("config set idle_timeout ( 1", 400, "expected a list item or ')'")]
    [InlineData("config set banner_hostname x", 404, "not a valid option")]
    [InlineData("config set binding x:y idle_timeout 1", 404, "can't name a scope")]
    [InlineData("config set gateway \"x", 400, "never closed")]
    [InlineData("config unset", 422, "global scope")]
    [InlineData("config unset domain nowhere.example", 404, "no scope")]
    [InlineData("config show domain nowhere.example", 404, "no scope")]
    [InlineData("config commit", 409, "No transaction is open")]
    [InlineData("config replay", 409, "No transaction is open")]
    [InlineData("config locate listn", 400, "name of a scope")]
    [InlineData("config locate listen (", 422, "no regular expression")]
    [InlineData("config reload", 422, "was not read from a file")]
    [InlineData("config writeback", 0, "no live changes")]
    public async Task Wrong_commands_get_a_code_and_say_what_was_expected(string command, int code, string part)
    {
        var result = await new ConfigConsole(_store).ExecuteAsync(command);
        Assert.Equal(code, result.Code);
        Assert.Contains(part, result.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transaction_is_seen_by_its_session_alone_until_it_is_committed()
    {
        var (console, other) = (new ConfigConsole(_store), new ConfigConsole(_store));
        await console.ExecuteAsync("config begin");
        await console.ExecuteAsync("config set idle_timeout 9");
        await console.ExecuteAsync("config set outbound_smtp_auth_pass topsecret");
        Assert.Equal("Idle_Timeout = 9", (await console.ExecuteAsync("config eval idle_timeout")).Text);
        Assert.Equal("Idle_Timeout = 5", (await other.ExecuteAsync("config eval idle_timeout")).Text);
        Assert.Equal("config set Idle_Timeout = 9\nconfig set Outbound_Smtp_Auth_Pass = \"********\"", (await console.ExecuteAsync("config replay")).Text);
        Assert.Equal(409, (await console.ExecuteAsync("config begin")).Code);
        Assert.Equal(409, (await console.ExecuteAsync("config reload")).Code);
        Assert.Equal("Reconfigured: 2 options changed.", (await console.ExecuteAsync("config commit")).Text.Split('\n')[0]);
        Assert.Equal("Idle_Timeout = 9", (await other.ExecuteAsync("config eval idle_timeout")).Text);
    }

    [Fact]
    public async Task A_rolled_back_transaction_leaves_no_trace()
    {
        var console = new ConfigConsole(_store);
        var before = _store.Current;
        await console.ExecuteAsync("config begin");
        await console.ExecuteAsync("config unset binding_group bulk");
        await console.ExecuteAsync("config rollback");
        Assert.False(console.InTransaction);
        Assert.Same(before, _store.Current);
    }

    [Fact]
    public async Task Beginning_from_scratch_replaces_everything()
    {
        var console = new ConfigConsole(_store);
        await console.ExecuteAsync("config begin from scratch");
        await console.ExecuteAsync("config set binding b idle_timeout 2");
        Assert.True((await console.ExecuteAsync("config commit")).IsOk);
        Assert.Equal("Binding \"b\" {\n  Idle_Timeout = 2\n}", (await console.ExecuteAsync("config showrecurse")).Text);
    }

    [Fact]
    public async Task A_change_that_contradicts_the_rest_is_refused()
    {
        var console = new ConfigConsole(_store);
        var result = await console.ExecuteAsync("config set esmtp_listener assign_binding nowhere");
        Assert.Equal(422, result.Code);
        Assert.Contains("names the binding 'nowhere', which is not configured", result.Text, StringComparison.Ordinal);
        Assert.Null(_store.Current.Listens[0].Own.Get(Options.AssignBinding));
    }

    [Fact]
    public async Task A_non_dynamic_option_shows_what_is_running_until_the_restart()
    {
        var console = new ConfigConsole(_store);
        await console.ExecuteAsync("config set spoolbase \"/srv/spool\"");
        Assert.Equal("Spoolbase = \"/srv/spool\" (pending restart, running value \"/var/spool/veredus\")", (await console.ExecuteAsync("config eval spoolbase")).Text);
    }

    [Fact]
    public async Task What_write_config_shows_can_be_read_again()
    {
        var text = (await new ConfigConsole(_store).ExecuteAsync("write config")).Text;
        Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
        var differences = OptionDifference.Between(_store.Current.Root, ConfigurationSnapshot.FromText(text).Root);
        Assert.Equal(["Outbound_Smtp_Auth_Pass"], differences.Select(d => d.Path));
    }

    [Theory]
    [InlineData("config eval binding_group bulk domain example.net max_outbound_connections", """{"option":"max_outbound_connections","set":true,"value":"4","scope":"Binding_Group:bulk:Domain:example.net:","at":"text:7:26"}""")]
    [InlineData("config eval retry_interval", """{"option":"retry_interval","set":false,"value":"1200"}""")]
    [InlineData("config get gateway", """{"option":"gateway","set":false,"value":null}""")]
    [InlineData("config get outbound_smtp_auth_pass", """{"option":"outbound_smtp_auth_pass","set":true,"value":"********","scope":"","at":"text:2:1"}""")]
    [InlineData("config show binding_group bulk", """{"settings":{"suspend_delivery":"off"},"scopes":[{"scope":"domain","instance":"example.net","at":"text:7:3"},{"scope":"binding","instance":"bulk-1","at":"text:8:3"}]}""")]
    [InlineData("config locate listen 2525", """["Esmtp_Listener::Listen:192.0.2.5\\:2525:"]""")]
    [InlineData("config begin", """{"text":"Transaction begun."}""")]
    public async Task Answers_can_be_had_as_json(string command, string expected)
    {
        var result = await new ConfigConsole(_store).ExecuteJsonAsync(command);
        Assert.True(result.IsOk, result.Text);
        Assert.Equal(expected, System.Text.Json.Nodes.JsonNode.Parse(result.Text)!.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
    }

    [Fact]
    public void The_dump_is_json_with_secrets_masked()
    {
        var dump = ConfigurationTools.DumpJson(_store.Current);
        using var json = System.Text.Json.JsonDocument.Parse(dump);
        Assert.Equal("172800", json.RootElement.GetProperty("settings").GetProperty("message_expiration").GetString());
        Assert.Equal("esmtp_listener", json.RootElement.GetProperty("scopes")[0].GetProperty("scope").GetString());
        Assert.DoesNotContain("hunter2", dump, StringComparison.Ordinal);
    }
}
