namespace Veredus.Demo.Tests;

public sealed class DemoSenderTests
{
    [Theory]
    [InlineData("sender+0@sender.demo", 0)]
    [InlineData("sender+1234@sender.demo", 1234)]
    [InlineData("sender+-1@sender.demo", null)]
    [InlineData("sender+@sender.demo", null)]
    [InlineData("sender+12", null)]
    [InlineData("sender@sender.demo", null)]
    [InlineData("", null)]
    public void A_message_is_known_by_its_sender(string sender, int? number) => Assert.Equal(number, DemoSender.NumberOf(sender));
}
