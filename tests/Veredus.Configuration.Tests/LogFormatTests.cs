namespace Veredus.Configuration.Tests;

public sealed class LogFormatTests
{
    [Theory]
    [InlineData("%t@%i@B@%r@%R@%b@%n", "Time Literal MessageId Literal RecipientLocalpart Literal RecipientDomain Literal Binding Literal Reply")]
    [InlineData("%BI%B%CI%c%C", "BatchId Size ConnectionId ClassName ClassNumber")]
    [InlineData("%us{3} %T %T{0}", "FineTime Literal QueueTime Literal QueueTime")]
    [InlineData("100%% %t{%Y-%m-%d}", "Literal Time")]
    [InlineData("%vctx_conn{auth_user}%vctx_mess{campaign}%PG%P", "ConnectionContext MessageContext PathwayGroup Pathway")]
    public void A_format_is_letters_and_what_stands_between(string text, string letters)
    {
        Assert.True(LogFormat.TryParse(text, out var format, out _));
        Assert.Equal(letters, string.Join(' ', format.Pieces.Select(piece => piece.Letter)));
        Assert.Equal(text, format.ToString());
    }

    [Theory]
    [InlineData("", "a format such as")]
    [InlineData("%q", "'%q' is none")]
    [InlineData("100%", "'%' is none")]
    [InlineData("%h{Subject}", "headers are not read")]
    [InlineData("%us", "braces after %us")]
    [InlineData("%us{x}", "decimals")]
    [InlineData("%T{8}", "decimals")]
    [InlineData("%vctx_mess{campaign", "closing brace")]
    [InlineData("%vctx_mess{}", "between the braces")]
    public void What_is_no_format_is_refused_with_what_it_would_have_to_be(string text, string expected)
    {
        Assert.False(LogFormat.TryParse(text, out _, out var error));
        Assert.Contains(expected, error);
    }

    [Fact]
    public void A_custom_logger_reads_its_stages()
    {
        var configuration = ConfigurationSnapshot.FromText("custom_logger \"moves\" { xfer_logfile = \"/var/log/veredus/moves.log\" xfer_format = \"%t %i %H\" xfer_log_mode = 0600 log_xfers = false }");
        var (module, xfer) = (configuration.Modules(ScopeKinds.CustomLogger).Single(), Options.CustomLogStages.Single(stage => stage.Name == "xfer"));
        Assert.Equal("%t %i %H", module.Get(xfer.Format)?.ToString());
        Assert.Equal("/var/log/veredus/moves.log", module.Get(xfer.Logfile));
        Assert.False(module.Get(xfer.Switch));
    }

    [Theory]
    [InlineData("xfer_format = \"%t\"", "Xfer_Format needs Xfer_Logfile as well")]
    [InlineData("delivery_logfile = \"/tmp/d\"", "Delivery_Logfile needs Delivery_Format as well")]
    [InlineData("xfer_logfile = \"/tmp/d\" xfer_format = \"%q\"", "'%q' is none")]
    [InlineData("xfer_format = \"%q\"", "'%q' is none")]
    public void Half_a_stage_and_a_wrong_letter_are_errors(string options, string message)
    {
        var error = Assert.Throws<ConfigurationException>(() => ConfigurationSnapshot.FromText($"custom_logger \"moves\" {{ {options} }}"));
        Assert.Contains(message, Assert.Single(error.Diagnostics, diagnostic => diagnostic.IsError).ToString());
    }
}
